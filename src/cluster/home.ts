import { join } from "node:path";

/** Where everything of one installation lives. Only `root`, `app` and `caCertificate` can be read by others. */
export interface HomePaths {
  root: string;
  settings: string;
  secrets: string;
  /** Where backups are kept, with the keys of those places. */
  storage: string;
  caCertificate: string;
  /** The program itself, copied here so that it outlives a checkout: one folder a version. */
  app: string;
  /** Rendered configurations of the engines. */
  etc: string;
  tls: string;
  data: string;
  etcdData: string;
  postgresData: string;
  /** Written once the cluster has been bootstrapped whole; without it, a data directory is a leftover. */
  bootstrapped: string;
  /** Is there while the data directory is being replaced: until it is gone, nobody starts PostgreSQL for the apps. */
  replacing: string;
  /** Pid files and sockets. */
  run: string;
  logs: string;
  credentials: string;
  /** Dumps of deleted databases. */
  dumps: string;
  /** The local repository, unless the settings name another place. */
  backups: string;
  /** Restores for a proof or for one database. Whatever is in it may go. */
  scratch: string;
  /** What pgBackRest's asynchronous archiving notes. */
  archiveSpool: string;
  /** What the agent observed and what it should run. */
  state: string;
  services: string;
  agentState: string;
  samples: string;
  /** Which data directories a restore replaced, and until when they are kept. */
  replaced: string;
  journal: string;
}

/** The paths of an installation under `root`. */
export function homePaths(root: string): HomePaths {
  const at = (...parts: string[]) => join(root, ...parts);
  return {
    root,
    settings: at("homelab.yaml"),
    secrets: at("secrets.json"),
    storage: at("storage.json"),
    caCertificate: at("ca.crt"),
    app: at("app"),
    etc: at("etc"),
    tls: at("tls"),
    data: at("data"),
    etcdData: at("data", "etcd"),
    postgresData: at("data", "postgres"),
    bootstrapped: at("data", "bootstrapped.json"),
    replacing: at("data", "replacing.json"),
    run: at("run"),
    logs: at("logs"),
    credentials: at("credentials"),
    dumps: at("dumps"),
    backups: at("backups"),
    scratch: at("scratch"),
    archiveSpool: at("state", "archive"),
    state: at("state"),
    services: at("state", "services.json"),
    agentState: at("state", "agent.json"),
    samples: at("state", "samples.json"),
    replaced: at("state", "replaced.json"),
    journal: at("state", "journal.db"),
  };
}

/** The folders of an installation with their modes: closed to others, but for the way to the CA's certificate. */
export function homeFolders(paths: HomePaths): { path: string; mode: number }[] {
  const closed = [
    paths.etc,
    paths.tls,
    paths.data,
    paths.run,
    paths.logs,
    paths.credentials,
    paths.dumps,
    paths.backups,
    paths.scratch,
    paths.state,
    paths.archiveSpool,
  ];
  return [{ path: paths.root, mode: 0o711 }, ...closed.map((path) => ({ path, mode: 0o700 }))];
}

/** The socket of the node's hub; a second hub of the same home has one of its own name. */
export const hubSocketPath = (paths: Pick<HomePaths, "run">, instance?: string): string =>
  join(paths.run, instance ? `hub-${instance}.sock` : "hub.sock");
