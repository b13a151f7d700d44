import { createHash } from "node:crypto";
import { sql } from "kysely";
import { stableStringify, type Json } from "../core/json.ts";
import type { PlatformDatabase, PlatformTransaction } from "../store/database.ts";

/** What happened, as it is kept: already without secrets. */
export interface AuditEntry {
  id: string;
  /** RFC 3339. */
  at: string;
  /** `user:ada`, `key:laptop`, `cli:root`. */
  actor: string;
  /** `noun.verb`. */
  action: string;
  target: string | null;
  before: Json;
  after: Json;
  /** `done`, or why not. */
  result: string;
  address: string | null;
  requestId: string | null;
}

/** An entry in its place in the chain. */
export interface ChainedEntry extends AuditEntry {
  seq: number;
  /** The hash of the entry before. */
  prevHash: string;
  hash: string;
}

/** The end of the chain. Noted elsewhere, it tells whether the end was cut off. */
interface ChainHead {
  seq: number;
  hash: string;
}

/** What a look at the whole chain found. */
export interface ChainReport {
  ok: boolean;
  /** How many are as they were written, from the first on. */
  entries: number;
  head: ChainHead;
  /** One sentence; where the chain breaks, if it does. */
  says: string;
}

/** The hash before the first entry. */
const NOTHING = "0".repeat(64);

/** The key of the advisory lock under which the chain grows. */
const LOCK = 730_143_004;

/** Entries that are looked at in one transaction. */
const BATCH = 500;

/** The hash of an entry: over the one before, and over everything that the entry says. */
function chainHash(seq: number, prevHash: string, entry: AuditEntry): string {
  const { id, at, actor, action, target, before, after, result, address, requestId } = entry;
  const text = stableStringify({ seq, id, at, actor, action, target, before, after, result, address, requestId });
  return createHash("sha256").update(`${prevHash}\n${text}`).digest("hex");
}

/** Appends entries, one writer at a time. What is there already, by its id, is left out. */
export async function appendEntries(db: PlatformTransaction, entries: readonly AuditEntry[]): Promise<void> {
  await sql`SELECT pg_catalog.pg_advisory_xact_lock(${sql.lit(LOCK)})`.execute(db);
  const ids = entries.map(({ id }) => id);
  const known = await db.selectFrom("audit_log").select("id").where("id", "in", ids).execute();
  const last = await db
    .selectFrom("audit_log")
    .select(["seq", "hash"])
    .orderBy("seq", "desc")
    .limit(1)
    .executeTakeFirst();
  let [seq, prevHash] = [Number(last?.seq ?? 0), last?.hash ?? NOTHING];
  const rows = [];
  for (const entry of entries.filter(({ id }) => !known.some((other) => other.id === id))) {
    seq += 1;
    const hash = chainHash(seq, prevHash, entry);
    rows.push(toRow({ ...entry, seq, prevHash, hash }));
    prevHash = hash;
  }
  if (rows.length > 0) await db.insertInto("audit_log").values(rows).execute();
}

/** Looks whether every entry is as it was written, and none is missing in between. @throws HomelabError `platform_database_away` */
export async function verifyChain(database: PlatformDatabase): Promise<ChainReport> {
  let head: ChainHead = { seq: 0, hash: NOTHING };
  for (;;) {
    const batch = await entriesBehind(database, head);
    for (const entry of batch) {
      const fault = faultOf(entry, head);
      if (fault) return { ok: false, entries: head.seq, head, says: fault };
      head = { seq: entry.seq, hash: entry.hash };
    }
    if (batch.length < BATCH)
      return { ok: true, entries: head.seq, head, says: `${head.seq} entries, each as it was written` };
  }
}

function entriesBehind(database: PlatformDatabase, head: ChainHead): Promise<ChainedEntry[]> {
  return database.session(async (db) => {
    const behind = db.selectFrom("audit_log").selectAll().where("seq", ">", `${head.seq}`);
    return (await behind.orderBy("seq").limit(BATCH).execute()).map(fromRow);
  });
}

/** What is wrong with an entry that is to stand behind `head`. */
function faultOf(entry: ChainedEntry, head: ChainHead): string | undefined {
  if (entry.seq !== head.seq + 1) return `the entry ${head.seq + 1} is missing`;
  if (entry.prevHash !== head.hash) return `the entry ${entry.seq} was written behind another entry ${head.seq}`;
  if (entry.hash !== chainHash(entry.seq, entry.prevHash, entry)) return `the entry ${entry.seq} was changed`;
  return undefined;
}

const asJson = (value: Json): string | null => (value === null ? null : JSON.stringify(value));

const toRow = ({ requestId, prevHash, before, after, ...entry }: ChainedEntry) => ({
  ...entry,
  before: asJson(before),
  after: asJson(after),
  request_id: requestId,
  prev_hash: prevHash,
});

/** A row of the table as an entry. */
export function fromRow(row: {
  [Column in keyof ReturnType<typeof toRow>]: Column extends "at"
    ? Date
    : Column extends "seq"
      ? string
      : Column extends "before" | "after"
        ? Json
        : ReturnType<typeof toRow>[Column];
}): ChainedEntry {
  const { request_id: requestId, prev_hash: prevHash, seq, at, ...rest } = row;
  return { ...rest, seq: Number(seq), at: at.toISOString(), requestId, prevHash };
}
