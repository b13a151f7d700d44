import type { EtcdLeases } from "../engines/etcd/lease.ts";
import { openHubJournal } from "../hub/journals.ts";
import type { Leadership } from "../hub/leadership.ts";
import type { Journal } from "../journal/journal.ts";
import type { Site } from "../site/site.ts";
import { platformConnection } from "../store/connection.ts";
import { PlatformDatabase } from "../store/database.ts";

/** The journal as a hub of this home would have it, for the time that the agent acts in its place. */
export function openDeputyJournal(
  { topology, secrets }: Site,
  { leadership, leases }: { leadership: Leadership; leases: EtcdLeases },
): { journal: Journal; close(): Promise<void> } {
  const { node, nodes, paths } = topology;
  const database = new PlatformDatabase({ connect: () => platformConnection(topology, secrets) });
  const journal = openHubJournal({
    ...{ topology, database, leadership, leases, home: node.name, path: paths.journal },
    aloneAllowed: nodes.length === 1,
  });
  return {
    journal,
    async close() {
      await journal.close();
      await database.close();
    },
  };
}
