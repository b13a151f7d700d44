import { errorMessage } from "../../../core/errors.ts";
import { makeStanzaIn } from "../../../engines/pgbackrest/only.ts";
import { troubleOf } from "../../../engines/pgbackrest/trouble.ts";
import type { Step } from "../../operation.ts";
import { lookAtAll } from "../../steps/make-stanza.ts";

/**
 * A repository that was lost with the machine begins anew, and before the first WAL is sent: until it knows the cluster,
 * each segment would wait for it. One that cannot be reached holds nothing up; health tells of it afterwards.
 */
export const prepareRepositories: Step<unknown> = {
  name: "prepare-repositories",
  plan: () => "let repositories that are empty now take this cluster's backups",
  async run({ site, signal }) {
    const missing = (await lookAtAll(site, signal)).filter(({ state }) => state === "missing");
    if (missing.length === 0) return { says: "all that answer know the cluster" };
    const secrets = await site.secrets();
    const failed: string[] = [];
    for (const { repository } of missing) {
      try {
        // From the restored files: there is no server yet that could be asked.
        await makeStanzaIn({ topology: site.topology, secrets, repository }, signal, true);
      } catch (error) {
        signal.throwIfAborted();
        failed.push(`${repository.name}: ${troubleOf(errorMessage(error), repository).says}`);
      }
    }
    if (failed.length === 0) return { says: "those that were empty take this cluster's backups" };
    return { says: `not all of them take backups: ${failed.join("; ")}` };
  },
  deadline: 200,
};
