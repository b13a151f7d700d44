import { randomUUID } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { errorRecord, HomelabError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { PlatformDatabase } from "../store/database.ts";
import type { Spool } from "../store/spool.ts";
import {
  appendEntries,
  fromRow,
  verifyChain,
  type AuditEntry,
  type ChainedEntry,
  type ChainReport,
} from "./audit-chain.ts";
import { redact, redactText } from "./redact.ts";
import type { Actor } from "./roles.ts";

/** What is to be noted. Secrets in it are taken out. */
export interface AuditRecord {
  /** Who; a text where nobody is known yet. */
  actor: Pick<Actor, "name" | "address"> | string;
  /** `noun.verb`. */
  action: string;
  target?: string;
  before?: Json;
  after?: Json;
  /** `done`, or why not. */
  result: string;
  address?: string | null;
  requestId?: string | null;
}

/** Which entries are asked for. */
export interface AuditFilter {
  limit?: number;
  /** `next_cursor` of the page before. */
  cursor?: string;
  actor?: string;
  action?: string;
}

/** A page of entries, the newest first. */
export interface AuditPage {
  items: ChainedEntry[];
  next_cursor: string | null;
  total: number;
}

/** Who asks, and in which request: what every line about a change says. */
export interface Caller {
  actor: Actor;
  requestId: string | null;
}

const KIND = "audit";

/** Seconds that a line may take: somebody waits for the answer, and the spool is there. */
const WRITE_SECONDS = 2;

/** Lines that may wait in memory. */
const MOST_HELD = 1000;

/** Bytes of `before` and `after` that a line may have each. */
const LONGEST = 16_384;

/** The audit log: written to the platform database, or kept in the spool until that is back. Nothing is ever left out. */
export class Audit {
  readonly #database: PlatformDatabase;
  readonly #spool: Spool;
  readonly #clock: Clock;
  /** What could not even be spooled: a disk is full. */
  readonly #held: AuditEntry[] = [];

  constructor(options: { database: PlatformDatabase; spool: Spool; clock: Clock }) {
    this.#database = options.database;
    this.#spool = options.spool;
    this.#clock = options.clock;
  }

  /** Notes what happened. Comes back once it is on a disk, as long as a disk takes it. */
  async record(record: AuditRecord): Promise<void> {
    const entry = toEntry(record, this.#clock.now());
    // Behind what waits already: lines stand in the order in which things happened.
    const waits = this.#held.length > 0 || this.#spool.count(KIND) > 0;
    if (!waits && (await this.#write([entry]).then(...yesOrNo))) return;
    this.#held.push(entry);
    this.#spoolHeld();
  }

  /** Does a change and notes how it went, also when it was refused. */
  async recorded<T>(
    { actor, requestId }: Caller,
    what: Pick<AuditRecord, "action" | "target">,
    work: () => Promise<{ value: T; before?: Json; after?: Json }>,
  ): Promise<T> {
    try {
      const { value, before, after } = await work();
      await this.record({ ...what, actor, requestId, before, after, result: "done" });
      return value;
    } catch (error) {
      await this.record({ ...what, actor, requestId, result: errorRecord(error).code });
      throw error;
    }
  }

  /** Writes what waits in the spool; answers how many lines that were. @throws HomelabError `platform_database_away` */
  async drain(): Promise<number> {
    this.#spoolHeld();
    return this.#spool.drain(KIND, (waiting) =>
      this.#write(waiting.map(({ payload }) => payload as unknown as AuditEntry)),
    );
  }

  /** A page of entries. @throws HomelabError `input_invalid`, `platform_database_away` */
  async list({ limit = 100, cursor, actor, action }: AuditFilter = {}): Promise<AuditPage> {
    if (cursor !== undefined && !/^\d{1,18}$/.test(cursor)) {
      const message = "not a cursor of this list";
      throw new HomelabError("input_invalid", `cursor: ${message}`, { errors: [{ field: "cursor", message }] });
    }
    return this.#database.session(async (db) => {
      let matching = db.selectFrom("audit_log");
      if (actor !== undefined) matching = matching.where("actor", "=", actor);
      if (action !== undefined) matching = matching.where("action", "=", action);
      const { total } = await matching.select(({ fn }) => fn.countAll<string>().as("total")).executeTakeFirstOrThrow();
      const page = cursor === undefined ? matching : matching.where("seq", "<", cursor);
      const rows = await page
        .selectAll()
        .orderBy("seq", "desc")
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map(fromRow);
      return { items, next_cursor: rows.length > limit ? `${items.at(-1)!.seq}` : null, total: Number(total) };
    });
  }

  /** Looks through the whole chain. @throws HomelabError `platform_database_away` */
  verifyChain(): Promise<ChainReport> {
    return verifyChain(this.#database);
  }

  /**
   * On a full disk somebody must be able to sign in, and to make room: lines wait in memory for a while.
   * @throws Error of the disk when too many wait: then nothing is done that leaves no line
   */
  #spoolHeld(): void {
    try {
      for (let entry = this.#held[0]; entry; entry = this.#held[0]) {
        this.#spool.put(KIND, entry.id, { ...entry });
        this.#held.shift();
      }
    } catch (error) {
      if (this.#held.length > MOST_HELD) throw error;
    }
  }

  #write(entries: AuditEntry[]): Promise<void> {
    return this.#database.session((db) => appendEntries(db, entries), WRITE_SECONDS);
  }
}

/** Why it was not written does not matter: it waits in the spool then. */
const yesOrNo = [() => true, () => false] as const;

function toEntry(record: AuditRecord, now: number): AuditEntry {
  const { actor, action, target, result, requestId = null } = record;
  const from = typeof actor === "string" ? { name: actor, address: null } : actor;
  return {
    id: randomUUID(),
    at: new Date(now).toISOString(),
    actor: clip(from.name, 255),
    action: clip(action, 100),
    target: target === undefined ? null : clip(target, 1000),
    before: bounded(record.before),
    after: bounded(record.after),
    result: clip(result, 255),
    address: clipped(record.address ?? from.address, 100),
    requestId: clipped(requestId, 100),
  };
}

/** Longer than any secret that a cut could leave half of, and then not be known for one. */
const MARGIN = 4000;

const clip = (text: string, length: number): string =>
  redactText(text.slice(0, length + MARGIN))
    .slice(0, length)
    .toWellFormed();
const clipped = (text: string | null, length: number): string | null => (text === null ? null : clip(text, length));

function bounded(value: Json | undefined): Json {
  if (value === undefined) return null;
  const given = Buffer.byteLength(JSON.stringify(value));
  if (given > LONGEST) return { left_out: `${given} bytes` };
  // Parsed again: what JSON cannot say (an undefined member) would not be in what comes back.
  return JSON.parse(JSON.stringify(redact(value))) as Json;
}
