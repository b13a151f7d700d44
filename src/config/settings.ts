import { z } from "zod";
import { Cron } from "croner";
import { parseDuration } from "../core/units.ts";
import { sso } from "./sso.ts";

const port = (value: number, help: string) => z.int().min(1).max(65535).default(value).describe(help);

const duration = (value: string, help: string) =>
  z
    .string()
    .refine((text) => parseDuration(text) !== undefined, "expected a duration such as 500ms, 30s, 5min, 1h, 7d")
    .default(value)
    .describe(help);

/** Five fields as in crontab(5), in local time. Checked by what will read them. */
const schedule = (value: string, help: string) =>
  z
    .string()
    .refine((text) => text === "off" || isCron(text), "expected five fields as in crontab(5), or off")
    .default(value)
    .describe(help);

function isCron(text: string): boolean {
  try {
    return new Cron(text, { mode: "5-part" }).nextRun() !== null;
  } catch {
    return false;
  }
}

/** One line, no quote, no backslash: such a value cannot end the line of any engine's file that it is written to. */
const plainValue = z.union([
  z.boolean(),
  z.number(),
  z
    .string()
    .regex(
      /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029'"\\;#]*$/,
      "expected one line without quotes, backslashes, ; and #",
    ),
]);

const extra = (help: string) =>
  z
    .record(z.string().regex(/^[a-z][a-z0-9_.]*$/), plainValue)
    .default({})
    .describe(help);

const network = z.strictObject({
  listen: z
    .union([z.enum(["private", "loopback"]), z.array(z.union([z.ipv4(), z.ipv6()])).min(1)])
    .default("private")
    .describe("Where apps reach us: private (loopback and the private addresses), loopback, or a list of addresses"),
  host: z
    .string()
    .regex(/^[A-Za-z0-9.:-]{1,253}$/, "expected a host name or an address")
    .default("localhost")
    .describe("The host in the URLs that are handed out"),
  port_offset: z.int().min(0).max(50000).default(0).describe("Added to every port below: a second home on one machine"),
  ports: z
    .strictObject({
      direct: port(5432, "PostgreSQL, always the primary (HAProxy)"),
      direct_read_only: port(5433, "PostgreSQL, replicas, or the primary where there are none (HAProxy)"),
      pooled: port(6432, "Pooled in transaction mode, always the primary (PgBouncer)"),
      pooled_read_only: port(6433, "Pooled, read-only (PgBouncer)"),
      postgres: port(5431, "PostgreSQL itself, inside the cluster"),
      patroni: port(8008, "Patroni's REST interface, inside the cluster"),
      etcd_client: port(2379, "etcd, inside the cluster"),
      etcd_peer: port(2380, "etcd among its members, inside the cluster"),
      haproxy_stats: port(7000, "HAProxy's statistics, inside the cluster"),
      hub: port(5000, "The hub: the API, and the pages to sign in"),
      hub_peer: port(5443, "The hub among its like, inside the cluster; a client certificate is required"),
    })
    .prefault({}),
});

const database = z.strictObject({
  use_pooler: z.boolean().default(true).describe("Hand out pooled URLs first"),
  default_pool_size: z.int().min(1).max(1000).default(25).describe("Server connections for each database and user"),
  max_client_conn: z.int().min(10).max(100000).default(1000).describe("Client connections that the pooler takes"),
  max_db_connections: z
    .int()
    .min(1)
    .max(5000)
    .default(100)
    .describe("Server connections that the pooler opens for one database"),
  connection_limit: z.int().min(1).max(5000).default(100).describe("CONNECTION LIMIT of an app's role"),
  statement_timeout: duration("5min", "statement_timeout of an app's role"),
  idle_in_transaction_session_timeout: duration("2min", "idle_in_transaction_session_timeout of an app's role"),
  undelete_within: duration("7d", "How long a deleted database can be brought back"),
  rotation_overlap: duration("24h", "How long the old password works after a rotation"),
  backup_schedule_full: schedule("0 2 * * *", "When a full backup is made"),
  backup_schedule_incr: schedule("0 */1 * * *", "When an incremental backup is made"),
  backup_schedule_diff: schedule("0 12 * * 0", "When a differential backup is made"),
  backup_retention_full: z.int().min(1).max(1000).default(7).describe("Full backups that are kept"),
  backup_retention_diff: z.int().min(1).max(1000).default(4).describe("Differential backups that are kept"),
  backup_retention_archive: z
    .int()
    .min(1)
    .max(3650)
    .default(7)
    .describe("Days whose WAL is kept: any second of them can be had back, as far as full backups reach"),
  dump_schedule: schedule(
    "off",
    "When each database is dumped by itself into the repository's folder, beside the backups",
  ),
  dump_retention: z.int().min(1).max(1000).default(7).describe("Dumps that are kept of each database"),
  backup_process_max: z.int().min(1).max(64).default(4).describe("Processes that compress and copy at once"),
});

/** Where PostgreSQL keeps its files and who may log in is not the user's to set: everything else stands on that. */
const SETTLED_PARAMETERS = [
  "archive_command",
  "archive_library",
  "archive_mode",
  "config_file",
  "data_directory",
  "external_pid_file",
  "hba_file",
  "ident_file",
  "listen_addresses",
  "port",
  "restore_command",
  "unix_socket_directories",
  "unix_socket_permissions",
];

const postgres = z.strictObject({
  version: z
    .union([z.literal("auto"), z.int().min(13).max(99)])
    .default("auto")
    .describe("Major version; auto takes the newest installed, and stays with the one of existing data"),
  extra: extra("PostgreSQL's own settings by their names; they win over ours, except for the forced ones").refine(
    (settings) => !Object.keys(settings).some((name) => SETTLED_PARAMETERS.includes(name)),
    `these are settled by homelab itself: ${SETTLED_PARAMETERS.join(", ")}`,
  ),
});

const patroni = z.strictObject({
  ttl: z
    .int()
    .min(20)
    .max(300)
    .default(20)
    .describe("Seconds that the leader's lease holds (Patroni 4 refuses less than 20)"),
  loop_wait: z.int().min(1).max(60).default(2).describe("Seconds between two looks of Patroni"),
  retry_timeout: z.int().min(3).max(60).default(3).describe("Seconds that Patroni tries etcd and PostgreSQL again"),
});

const hub = z.strictObject({
  hosts: z
    .array(z.string().regex(/^[A-Za-z0-9.-]{1,253}$/, "expected a host name"))
    .default([])
    .describe("Further host names at which the dashboard is reached; requests for others are refused (DNS rebinding)"),
  trusted_proxies: z
    .array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]))
    .default([])
    .describe("Proxies whose X-Forwarded-For, -Proto and -Host are believed"),
  base_path: z
    .string()
    .regex(/^(\/[A-Za-z0-9._~-]+)*$/, "expected a path such as /homelab, without a slash at its end")
    .default("")
    .describe("The path prefix under which a proxy shows the hub"),
  session_idle: duration("12h", "A web session ends after so long without a request"),
  session_lifetime: duration("30d", "A web session ends after so long in any case"),
});

const backup = z.strictObject({
  path: z
    .string()
    .regex(/^(\/[^\s'"\\;#]+)?$/, "expected an absolute path without spaces and quotes")
    .default("")
    .describe(
      "The folder of the first repository, chosen when the home is made; empty for backups/ under the home. Another disk is better. Later: homelab storage add disk, homelab storage remove",
    ),
  encrypt: z.boolean().default(true).describe("Repositories that are made from now on are encrypted (aes-256-cbc)"),
  compression: z.enum(["lz4", "zst", "gz", "none"]).default("lz4").describe("How backups and WAL are compressed"),
  archive_timeout: duration("60s", "WAL is archived after so long at the latest: what a lost disk may cost"),
  schedule_proof: schedule("30 3 * * 0", "When the newest backup is restored for a proof, after the full one"),
  schedule_check: schedule("0 4 * * *", "When the repositories are read whole, and compared with their checksums"),
  keep_replaced: duration("72h", "How long what a restore replaced is kept"),
});

const logs = z.strictObject({
  max_size_mb: z.int().min(1).max(10000).default(20).describe("A log of this many MB is rotated"),
  keep: z.int().min(1).max(100).default(5).describe("Rotated logs that are kept of each"),
});

/** Every setting of the product, each once: name, type, default and what it means. */
export const settingsSchema = z
  .strictObject({
    version: z.literal(1).default(1).describe("Version of this file's format"),
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,30}$/, "expected lower-case letters, digits and hyphens, a letter first")
      .default("homelab")
      .describe("The cluster's name"),
    network: network.prefault({}).describe("Addresses and ports"),
    database: database.prefault({}).describe("What each new database gets, and the pool's sizes"),
    postgres: postgres.prefault({}).describe("PostgreSQL"),
    pgbouncer: z.strictObject({ extra: extra("PgBouncer's own settings by their names") }).prefault({}),
    patroni: patroni.prefault({}).describe("Patroni's timing"),
    hub: hub.prefault({}).describe("The hub: the API"),
    backup: backup.prefault({}).describe("Backups; their timetable and retention are under database"),
    logs: logs.prefault({}).describe("Rotation of the logs"),
    sso: sso.optional().describe("Single sign-on; without it there are local accounts only"),
  })
  .describe("homelab.yaml");

/** The settings as everything else reads them: complete and valid. */
export type Settings = z.infer<typeof settingsSchema>;

/** The JSON schema of homelab.yaml, for editors. */
export function settingsJsonSchema(): object {
  return z.toJSONSchema(settingsSchema, { io: "input" });
}
