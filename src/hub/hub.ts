import { join } from "node:path";
import { buildApp, type Access } from "../api/app.ts";
import { errorMessage } from "../core/errors.ts";
import { takeLock } from "../host/lock.ts";
import { programIn } from "../host/program.ts";
import { homePaths } from "../cluster/home.ts";
import { composeHub, type HubOptions } from "./compose.ts";
import { forwardToLeader } from "./forward.ts";
import { openDoors } from "./listeners.ts";
import { HubLog } from "./log.ts";

/** Runs a hub until it is told to end. Answers the exit code. */
export async function runHub(options: HubOptions): Promise<number> {
  const log = new HubLog();
  const paths = homePaths(options.root);
  const lock = takeLock(join(paths.state, `hub${options.instance ? `-${options.instance}` : ""}.process.lock`));
  // Another one of this name lives still: it is the one that the doors belong to.
  if (!lock) return 0;
  const ending = endOnSignal();
  const program = await programIn(options.folder);
  log.say("info", `begins (pid ${process.pid}, build ${program.build})`);
  const hub = await composeHub(options, program, log);
  const app = await buildApp(hub.services, {
    entrance: "network",
    onAccess: (access) => logAccess(log, access),
    onFault: (requestId, error) => log.fault(requestId, error),
    forward: (request) => forwardToLeader(hub.services, request),
  });
  await app.ready();
  const doors = await openDoors(
    (request, response) => app.routing(request, response),
    hub.services.topology,
    hub.doors,
  );
  hub.begin();
  await new Promise<void>((resolve) => ending.addEventListener("abort", () => resolve(), { once: true }));
  log.say("info", "ends");
  await doors.close();
  await app.close();
  await hub.end().catch((error: unknown) => log.say("warn", errorMessage(error)));
  log.flush();
  lock.release();
  return 0;
}

function endOnSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

function logAccess(log: HubLog, { method, path, status, ...facts }: Access): void {
  // The agent asks this several times a second until the hub answers.
  if (path === "/healthz") return;
  log.say(status >= 500 ? "warn" : "info", `${method} ${path} ${status}`, { status, ...facts });
}
