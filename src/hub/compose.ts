import { join } from "node:path";
import { Feed } from "../api/feed.ts";
import { Idempotency, type KeptAnswer } from "../api/idempotency.ts";
import { Metrics } from "../api/metrics.ts";
import { Remembered } from "../api/remembered.ts";
import type { Services } from "../api/services.ts";
import { homePaths, hubSocketPath } from "../cluster/home.ts";
import type { Topology } from "../cluster/topology.ts";
import { Seal } from "../core/sealed.ts";
import type { EtcdLeases } from "../engines/etcd/lease.ts";
import { clusterLeases } from "../engines/etcd/lease.ts";
import type { Program } from "../host/program.ts";
import { Desk } from "../operations/desk.ts";
import { registry } from "../operations/registry.ts";
import { openSite, requireInstallation } from "../site/installation.ts";
import { SealedAnswers } from "../store/answers.ts";
import { platformConnection } from "../store/connection.ts";
import { PlatformDatabase } from "../store/database.ts";
import { openSpool } from "../store/spool.ts";
import { Benches } from "./benches.ts";
import { openHubJournal } from "./journals.ts";
import { Leadership } from "./leadership.ts";
import type { Doors } from "./listeners.ts";
import type { HubLog } from "./log.ts";
import { openAccounts } from "./open-accounts.ts";
import { beginWork } from "./work.ts";

/** PostgreSQL's code for a table that is not there (PostgreSQL manual, appendix A). */
const UNDEFINED_TABLE = "42P01";

/** How a hub is started. */
export interface HubOptions {
  root: string;
  /** The folder of the bundles. */
  folder: string;
  version: string;
  /** The name of a second hub of the same home; undefined for the home's own. */
  instance?: string;
  port?: number;
  peerPort?: number;
}

/** How a hub stands for the leadership. */
interface Election {
  leadership: Leadership;
  leases: EtcdLeases;
  home: string;
  aloneAllowed: boolean;
}

/** A hub put together, and not at work yet. */
export interface Hub {
  services: Services;
  doors: Doors;
  /** Stands for the leadership, and does what a hub does by itself. */
  begin(): void;
  end(): Promise<void>;
}

/** Puts a hub together from its home. @throws HomelabError `not_installed` */
export async function composeHub(options: HubOptions, program: Program, log: HubLog): Promise<Hub> {
  const paths = homePaths(options.root);
  const installation = await requireInstallation(paths);
  const open = () => openSite(options.root, installation, program);
  const site = open();
  const { topology } = site;
  const doors = doorsOf(topology, options);
  const platform = new PlatformDatabase({ connect: () => platformConnection(topology, site.secrets) });
  const election = makeElection(topology, doors, options);
  const { leadership } = election;
  const journal = openHubJournal({
    ...election,
    ...{ topology, database: platform },
    // The home's own hub shares its file with the commands that work on the node.
    path: options.instance ? statePath(topology, "journal", options) : topology.paths.journal,
    onTrouble: (error) => {
      // Before its first revision it has no tables, and what is missed then is brought later.
      if ((error as { code?: string }).code !== UNDEFINED_TABLE)
        log.fault("the journal in the platform database", error);
    },
  });
  const spool = openSpool(statePath(topology, "spool", options));
  const feed = new Feed();
  const remembered = new Remembered();
  const benches = new Benches(open, () => leadership.signal, { journal, registry });
  const desk = new Desk({ site, journal, takeBench: () => benches.take() });
  const accounts = await openAccounts({
    ...{ database: platform, spool, site, settings: installation.settings.hub, log },
    snapshot: join(paths.state, `accounts${options.instance ? `-${options.instance}` : ""}.json`),
  });
  const answers = new SealedAnswers<KeptAnswer>(
    platform,
    async () => new Seal((await site.secrets()).hub_seal, "answers"),
  );
  const metrics = new Metrics();
  const services: Services = {
    ...{ site, topology, settings: installation.settings, origins: installation.origins, version: options.version },
    ...{ journal, desk, remembered, metrics, feed, leadership, accounts, platform, audit: accounts.audit },
    idempotency: new Idempotency(answers),
  };
  let work: ReturnType<typeof beginWork> | undefined;
  return {
    services,
    doors,
    begin: () => void (work = beginWork(services, { leadership, platform, journal, accounts, answers, benches, log })),
    async end() {
      await work?.end();
      // Runs are left in order, brackets and all, before another hub may go on with them.
      await leadership.resign(() => benches.allDone());
      election.leases.close();
      await accounts.close();
      await benches.close();
      await journal.close();
      spool.close();
      await platform.close();
      await site.close();
    },
  };
}

const doorsOf = ({ paths, ports }: Topology, { instance, port, peerPort }: HubOptions): Doors => ({
  socket: hubSocketPath(paths, instance),
  port: port ?? ports.hub,
  peerPort: peerPort ?? ports.hub_peer,
});

/** Files of one hub: a second one in the same home has its own. */
const statePath = ({ paths }: Topology, name: string, { instance }: HubOptions): string =>
  join(paths.state, `${name}${instance ? `-${instance}` : ""}.db`);

/** What one hub says of itself in etcd, and how it asks there. */
function makeElection(topology: Topology, doors: Doors, { instance }: HubOptions): Election {
  const { node, nodes, paths, scope } = topology;
  const name = instance ? `${node.name}-${instance}` : node.name;
  const leases = clusterLeases(topology);
  const aloneAllowed = nodes.length === 1 && instance === undefined;
  const lockPath = join(paths.state, instance ? `hub-${instance}.lock` : "hub.lock");
  const me = { name, url: `https://${node.address}:${doors.peerPort}` };
  const leadership = new Leadership({ me, scope, node: node.name, leases, lockPath, aloneAllowed });
  return { leadership, leases, home: name, aloneAllowed };
}
