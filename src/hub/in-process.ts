import { Readable } from "node:stream";
import type { OutgoingHttpHeaders } from "node:http";
import { join } from "node:path";
import { Audit } from "../accounts/audit.ts";
import { buildApp } from "../api/app.ts";
import { Feed } from "../api/feed.ts";
import { Idempotency } from "../api/idempotency.ts";
import { Metrics } from "../api/metrics.ts";
import { Remembered } from "../api/remembered.ts";
import type { Services } from "../api/services.ts";
import { homePaths } from "../cluster/home.ts";
import { sleep, systemClock } from "../core/clock.ts";
import type { Program } from "../host/program.ts";
import { openJournal } from "../journal/open.ts";
import { Desk } from "../operations/desk.ts";
import { registry } from "../operations/registry.ts";
import { Detach, type RunnerOptions } from "../operations/runner.ts";
import { openSite, requireInstallation } from "../site/installation.ts";
import type { Site } from "../site/site.ts";
import { platformConnection } from "../store/connection.ts";
import { PlatformDatabase } from "../store/database.ts";
import { openSpool } from "../store/spool.ts";
import { Benches } from "./benches.ts";

/** How the API is opened in a process that is no hub. */
export interface InProcessOptions {
  version: string;
  onCrashPoint?: RunnerOptions["onCrashPoint"];
}

interface Request {
  method: string;
  path: string;
  headers: Record<string, string>;
  /** A text, or what opens the bytes. */
  body?: string | (() => Readable);
  signal?: AbortSignal;
}

interface Response {
  status: number;
  headers: OutgoingHttpHeaders;
  body: Readable;
}

/** The API within a process, as if it were asked over the network. */
export interface InProcess {
  send(request: Request): Promise<Response>;
  /** Ends it. What is still being done is left to others, who go on with it at once. */
  close(): Promise<void>;
}

/** Milliseconds that operations are given to come to the end of their step before they are left. */
const PATIENCE = 15_000;

/** A look may take its time: nobody else waits for it, and there is no earlier answer to give. */
const LOOK_PATIENCE = 30_000;

/**
 * The whole API in this process, for a home whose hub is away: with the file journal alone, and for the home's owner
 * alone.
 * @throws HomelabError `not_installed`
 */
export async function openInProcess(root: string, program: Program, options: InProcessOptions): Promise<InProcess> {
  const paths = homePaths(root);
  const installation = await requireInstallation(paths);
  const { settings, origins } = installation;
  const open = () => openSite(root, installation, program);
  const site = open();
  const journal = openJournal(paths);
  const leaving = new AbortController();
  const { onCrashPoint } = options;
  const benches = new Benches(open, () => leaving.signal, { journal, registry, onCrashPoint });
  const desk = new Desk({ site, journal, takeBench: () => benches.take() });
  const records = openRecords(site);
  const services: Services = {
    ...{ site, topology: site.topology, settings, origins, version: options.version, journal, desk },
    ...{ remembered: new Remembered(LOOK_PATIENCE), metrics: new Metrics(), feed: new Feed() },
    ...{ idempotency: new Idempotency(), leadership: { isLeader: true, leader: () => undefined } },
    ...{ accounts: undefined, platform: undefined, audit: records.audit },
  };
  const faults = new Map<string, unknown>();
  const app = await buildApp(services, { entrance: "socket", onFault: (id, error) => faults.set(id, error) });
  return {
    async send({ method, path, headers, body, signal }) {
      const answer = await app.inject({
        ...{ method: method as "GET", url: path, headers, signal },
        payload: typeof body === "function" ? body() : body,
        payloadAsStream: true,
      });
      const fault = faults.get(String(answer.headers["x-request-id"]));
      // Whoever sits here may know it, and there is no log to look into.
      if (fault !== undefined) throw fault;
      return { status: answer.statusCode, headers: answer.headers, body: answer.stream() };
    },
    async close() {
      leaving.abort(new Detach());
      await Promise.race([benches.allDone(), sleep(PATIENCE)]);
      await app.close();
      await benches.close();
      await journal.close();
      await records.close();
      await site.close();
    },
  };
}

/** The audit log of a process that is no hub: what cannot be written now is kept where the hub will find it. */
function openRecords({ topology, secrets }: Site): { audit: Audit; close(): Promise<void> } {
  const database = new PlatformDatabase({ connect: () => platformConnection(topology, secrets) });
  const spool = openSpool(join(topology.paths.state, "spool.db"));
  return {
    audit: new Audit({ database, spool, clock: systemClock }),
    async close() {
      await database.close();
      spool.close();
    },
  };
}
