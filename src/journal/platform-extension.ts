import type { RunId } from "../core/ids.ts";
import type { PlatformDatabase } from "../store/database.ts";
import type { RunRecord } from "./journal.ts";
import { rowFromRecord, rowFromStep } from "./platform-rows.ts";

/** Runs whose place is remembered. */
const REMEMBERED = 100;

const EXTEND = `
  WITH commit AS (SELECT pg_catalog.set_config('synchronous_commit', $1, true)),
  run AS (
    UPDATE workflows SET current_step = $2, progress = $3::jsonb, lease_until = $4,
           cancel_requested = cancel_requested OR $5::boolean
    FROM commit WHERE id = $6::uuid AND epoch = $7 AND state = 'running' AND holder = $8::jsonb
    RETURNING id
  ),
  added AS (
    INSERT INTO workflow_steps (workflow_id, seq, at, step, event, barrier, output, says)
    SELECT run.id, line.seq, line.at, line.step, line.event, line.barrier, line.output, line.says
    FROM run, pg_catalog.json_to_recordset($9::json)
      AS line(seq integer, at timestamptz, step text, event text, barrier boolean, output json, says text)
    ON CONFLICT DO NOTHING
  )
  SELECT count(*)::int AS n FROM run`;

/**
 * The common case of an import, in one statement: a run that its holder, known to the table as such, has gone on with.
 * It is made at each line of each run, so its trips to the server would be most of what a short operation takes.
 */
export class PlatformExtension {
  readonly #database: PlatformDatabase;
  /** How far the table is known to be, by run and epoch. */
  readonly #written = new Map<RunId, { epoch: number; seq: number }>();

  constructor(database: PlatformDatabase) {
    this.#database = database;
  }

  /** Adds the lines that are new. False for whatever is not the common case; then nothing was written. */
  async tried(record: RunRecord, durable: boolean): Promise<boolean> {
    const { run, epoch, holder, entries } = record;
    if (run.state !== "running" || holder === null) return false;
    const known = this.#written.get(run.id);
    const from = known?.epoch === epoch ? known.seq : 0;
    const row = rowFromRecord(record);
    const lines = entries.filter(({ seq }) => seq > from).map((entry) => lineOf(record, entry));
    const [answer] = await this.#database.statement<{ n: number }>(EXTEND, [
      ...[durable ? "on" : "off", row.current_step, row.progress, row.lease_until, row.cancel_requested],
      ...[row.id, epoch, row.holder, JSON.stringify(lines)],
    ]);
    if (answer?.n !== 1) {
      this.#written.delete(run.id);
      return false;
    }
    this.#remember(run.id, { epoch, seq: entries.at(-1)?.seq ?? from });
    return true;
  }

  #remember(id: RunId, place: { epoch: number; seq: number }): void {
    this.#written.delete(id);
    this.#written.set(id, place);
    if (this.#written.size > REMEMBERED) this.#written.delete(this.#written.keys().next().value!);
  }
}

/** A line as JSON; what it hands on is JSON text already, and stays as it was written. */
function lineOf({ run }: RunRecord, entry: RunRecord["entries"][number]) {
  const { workflow_id: _, output: _text, ...line } = rowFromStep(run.id, entry);
  return { ...line, output: entry.output ?? null };
}
