import { waitUntil } from "../../core/clock.ts";
import { errorMessage } from "../../core/errors.ts";
import { MONITOR_ROLE } from "../../cluster/platform-roles.ts";
import { connectionUrl, type UrlKind } from "../../cluster/urls.ts";
import { proveLogin } from "../../engines/postgres/login.ts";
import type { Step, StepContext } from "../operation.ts";

const KINDS: UrlKind[] = ["direct", "direct_read_only", "pooled", "pooled_read_only"];

/** Logs in through every port as an app would, with the certificate verified where there is TLS. */
async function proveAll({ site }: StepContext<unknown>): Promise<void> {
  const login = { database: "postgres", user: MONITOR_ROLE, password: (await site.secrets()).monitor.reveal() };
  await Promise.all(KINDS.map((kind) => proveLogin(connectionUrl(site.topology, login, kind, "127.0.0.1"))));
}

/** No answer of an engine counts as much as a login that went through. */
export const proveConnections: Step<unknown> = {
  name: "prove-connections",
  plan: ({ site }) => `log in through the ports ${KINDS.map((kind) => site.topology.ports[kind]).join(", ")}`,
  check: async (context) =>
    proveAll(context).then(
      () => true,
      () => false,
    ),
  async run(context) {
    let last = "";
    const attempt = () =>
      proveAll(context).then(
        () => true,
        (error: unknown) => ((last = errorMessage(error)), false),
      );
    await waitUntil(attempt, {
      timeout: 25,
      signal: context.signal,
      what: "logins through every port",
      why: () => last,
    });
    return { says: `logins through ${KINDS.map((kind) => context.site.topology.ports[kind]).join(", ")}` };
  },
  deadline: 30,
};
