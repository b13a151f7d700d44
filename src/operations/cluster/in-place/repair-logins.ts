import { scramVerifier } from "../../../core/scram.ts";
import { bootstrapPostgres } from "../../../engines/postgres/bootstrap.ts";
import { setPassword } from "../../../engines/postgres/ddl.ts";
import { findRoles } from "../../../engines/postgres/roles.ts";
import type { Session } from "../../../engines/postgres/sessions.ts";
import { mendLogins, type MendedLogins } from "../../../site/app-logins.ts";
import type { Site } from "../../../site/site.ts";
import type { Step } from "../../operation.ts";
import { withinClosed } from "./reach-target.ts";

/** The roles that Patroni and the superuser's own sessions log in with, and the secret of each. */
const CLUSTER_LOGINS = { postgres: "superuser", replicator: "replication", rewind: "rewind" } as const;

async function mendClusterLogins(session: Session, { secrets }: Site): Promise<void> {
  const known = await findRoles(session, Object.keys(CLUSTER_LOGINS));
  const all = await secrets();
  for (const [role, secret] of Object.entries(CLUSTER_LOGINS))
    if (known.has(role)) await session.query(setPassword(role, await scramVerifier(all[secret].reveal())));
}

/** What the step answers, as the result of the operation shows it. */
export type Repaired = MendedLogins;

function sentence({ mended, unknown, absent }: MendedLogins): string {
  const parts = [
    mended.length > 0 ? `passwords of ${mended.join(", ")} brought to what their apps have` : "passwords as they were",
    unknown.length > 0 ? `nobody here knows the passwords of ${unknown.join(", ")}` : "",
    absent.length > 0 ? `not there at this moment: ${absent.join(", ")}` : "",
  ];
  return parts.filter(Boolean).join("; ");
}

/** Apps keep their passwords and URLs, whatever moment the cluster went to. */
export const repairLogins: Step<unknown> = {
  name: "repair-logins",
  plan: () => "check every app's login against its credentials file, and bring it to what the app has",
  async run(context) {
    const { site } = context;
    const output = await withinClosed(context, async (sessions) => {
      const session = await sessions.admin();
      await mendClusterLogins(session, site);
      await bootstrapPostgres(sessions, await site.secrets());
      return mendLogins(session, site.topology.paths);
    });
    return { says: sentence(output), output };
  },
  deadline: 300,
};
