import type { Repository } from "../../config/storage.ts";
import { errorMessage } from "../../core/errors.ts";
import { knowsCluster, makeStanzaIn } from "../../engines/pgbackrest/only.ts";
import { troubleOf } from "../../engines/pgbackrest/trouble.ts";
import type { Site } from "../../site/site.ts";
import type { Step } from "../operation.ts";

/** What was seen of a repository: `away` is no answer to whether it knows this cluster. */
type Seen =
  | { repository: Repository; state: "ready" | "missing" }
  | { repository: Repository; state: "away"; says: string };

async function look(site: Site, repository: Repository, signal: AbortSignal): Promise<Seen> {
  try {
    const alone = { topology: site.topology, secrets: await site.secrets(), repository };
    return { repository, state: (await knowsCluster(alone, signal)) ? "ready" : "missing" };
  } catch (error) {
    return { repository, state: "away", says: troubleOf(errorMessage(error), repository).says };
  }
}

/** Each repository is asked by itself: a server that is away must not keep the machine from its start. */
export async function lookAtAll(site: Site, signal: AbortSignal): Promise<Seen[]> {
  const { repositories } = await site.storage();
  return Promise.all(repositories.map((repository) => look(site, repository, signal)));
}

/**
 * Right behind the first start: until there is a stanza, archiving waits, and looks healthy meanwhile (measured:
 * pg_stat_archiver counts neither a success nor a failure). A repository that is away is left as it is.
 */
export const makeStanzaStep: Step<unknown> = {
  name: "make-stanza",
  plan: ({ site }) => `prepare the repositories for the backups of ${site.topology.scope}`,
  check: async ({ site, signal }) => (await lookAtAll(site, signal)).every(({ state }) => state !== "missing"),
  async run({ site, signal }) {
    const seen = await lookAtAll(site, signal);
    const missing = seen.filter(({ state }) => state === "missing").map(({ repository }) => repository);
    const secrets = await site.secrets();
    for (const repository of missing) await makeStanzaIn({ topology: site.topology, secrets, repository }, signal);
    const away = seen.flatMap((each) => (each.state === "away" ? [`${each.repository.name}: ${each.says}`] : []));
    const made = missing.map(({ name }) => name).join(", ");
    return { says: [`${made} takes backups of ${site.topology.scope}`, ...away].join("; ") };
  },
  deadline: 300,
};
