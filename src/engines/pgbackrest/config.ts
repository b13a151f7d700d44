import { join } from "node:path";
import { pgbackrestConfigPath } from "../../cluster/archive.ts";
import { postgresSocket, type Topology } from "../../cluster/topology.ts";
import type { Repository, S3Repository, Storage } from "../../config/storage.ts";
import type { Secrets } from "../../config/secrets.ts";
import { GENERATED, type RenderedFile } from "../engine.ts";
import { pgpassLine } from "../pgpass.ts";

type Options = Record<string, string | number>;

/** Fulls are never expired by pgBackRest's own count: what may go is worked out anew each time (retention.ts). */
const NEVER = 9_999_999;

/**
 * Seconds that one step of a connection may take while WAL is sent. Of a server that is away pgBackRest makes sure for
 * eight times as long, for each segment, and only then sends it to the repositories that answer (measured, 2.45: 81 s with
 * 10, and with its own minute they would get their WAL eight minutes late). Less would be too little for a slow line: a
 * part of 5 MiB takes five seconds at 1 MB/s.
 */
const PUSH_PATIENCE = 10;

/** Whether a file of the engines' configuration belongs to one repository, and goes with it. */
export const isOfRepository = (name: string): boolean => /^repository-\d-ca\.crt$/.test(name);

/** The certificate of a repository's CA. */
const caPath = ({ paths }: Topology, { number }: Repository): string => join(paths.etc, `repository-${number}-ca.crt`);

/** The login of pgBackRest to PostgreSQL; it goes by libpq, which reads passwords from a file. */
export const pgbackrestPgpass = ({ paths }: Topology): string => join(paths.etc, "pgbackrest.pgpass");

function s3Options(topology: Topology, repository: S3Repository): Options {
  return {
    type: "s3",
    "s3-endpoint": repository.endpoint,
    "storage-port": repository.port,
    "s3-bucket": repository.bucket,
    "s3-region": repository.region,
    "s3-uri-style": repository.uri_style,
    "s3-key": repository.key,
    "s3-key-secret": repository.key_secret.reveal(),
    ...(repository.ca ? { "storage-ca-file": caPath(topology, repository) } : {}),
  };
}

function repositoryOptions(topology: Topology, repository: Repository): Options {
  const { bundle, block } = topology.repository;
  return {
    ...(repository.type === "s3" ? s3Options(topology, repository) : { type: "posix" }),
    path: repository.path,
    ...(repository.cipher_pass
      ? { "cipher-type": "aes-256-cbc", "cipher-pass": repository.cipher_pass.reveal() }
      : { "cipher-type": "none" }),
    "retention-full": NEVER,
    ...(bundle ? { bundle: "y" } : {}),
    ...(block ? { block: "y" } : {}),
  };
}

const lines = (options: Options, prefix = ""): string[] =>
  Object.entries(options).map(([name, value]) => `${prefix}${name}=${value}`);

/** pgbackrest.conf. It holds passphrases and keys: 0600. */
function renderConf(topology: Topology, storage: Storage): RenderedFile {
  const { paths, scope, settings } = topology;
  const socket = postgresSocket(topology);
  const sections = {
    global: [
      ...storage.repositories.flatMap((each) => lines(repositoryOptions(topology, each), `repo${each.number}-`)),
      ...lines({
        "log-path": paths.logs,
        "log-level-console": "warn",
        "log-level-file": "info",
        "lock-path": join(paths.run, "pgbackrest"),
        // Its own modes would let the group read; those of whoever calls it are closed.
        "neutral-umask": "n",
        "spool-path": paths.archiveSpool,
        "archive-async": "y",
        // A segment that cannot be stored must be tried again soon, not after the default's minute.
        "archive-timeout": 60,
        "compress-type": settings.backup.compression,
        "process-max": settings.database.backup_process_max,
        "start-fast": "y",
        // A database that was unreachable for a while must not make the whole run wait for half an hour.
        "db-timeout": 600,
        "protocol-timeout": 660,
        "expire-auto": "n",
      }),
    ],
    "global:archive-push": lines({ "process-max": 2, "io-timeout": PUSH_PATIENCE }),
    [scope]: lines({
      "pg1-path": paths.postgresData,
      "pg1-socket-path": socket.directory,
      "pg1-port": socket.port,
      "pg1-user": "postgres",
    }),
  };
  const text = Object.entries(sections).map(([name, body]) => `[${name}]\n${body.join("\n")}\n`);
  return file(pgbackrestConfigPath(paths), `# ${GENERATED}\n${text.join("\n")}`);
}

const file = (path: string, content: string): RenderedFile => ({ path, content, mode: 0o600, onChange: "reload" });

/** What pgBackRest reads: its configuration, the CAs of its repositories, and its login. */
export function renderPgbackrest(topology: Topology, storage: Storage, secrets: Secrets): RenderedFile[] {
  const withCa = storage.repositories.filter((each) => each.type === "s3" && each.ca !== null) as S3Repository[];
  return [
    renderConf(topology, storage),
    file(pgbackrestPgpass(topology), `# ${GENERATED}\n${pgpassLine(secrets.superuser.reveal())}`),
    ...withCa.map((each) => file(caPath(topology, each), each.ca!)),
  ];
}
