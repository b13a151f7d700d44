import { z } from "zod";
import { instant, page, pageQuery, type Contract } from "../endpoint.ts";

const seconds = z.number().nullable();

const proofResult = z
  .strictObject({
    proven: z.boolean(),
    backup: z.string(),
    label: z.string(),
    type: z.string(),
    repository: z.string(),
    to: instant.describe("The second that was replayed to"),
    finished_at: instant,
    faults: z.array(z.string()).describe("Why the backup must not be relied on"),
    live_faults: z.array(z.string()).describe("What the running cluster cannot read of itself"),
    mark_at: instant.nullable().describe("When the live cluster had written down what it was compared with"),
    databases: z.int(),
    tables: z.int(),
    rows: z.number(),
    bytes: z.number(),
    equal: z.int().describe("Tables that hold exactly what the mark saw"),
    sampled: z.int().describe("How many of them were compared by samples"),
    changed: z.int().describe("Tables that were changed between the mark and the second"),
    not_compared: z.int(),
    reasons: z.array(z.string()).describe("Why those were not compared; the first of them"),
    relations: z.int().nullable().describe("Tables and indexes whose pages were checked"),
    seconds: z.strictObject({ restore: seconds, replay: seconds, structure: seconds, read: seconds }),
    restored_bytes: z.number(),
    bytes_per_second: z.number().nullable(),
    segments: z.int().nullable().describe("WAL segments that were replayed"),
    rpo_seconds: seconds.describe("How old the newest was that the repository had when the proof began"),
    rto_seconds: seconds.describe("How long it took until the restored cluster answered"),
  })
  .meta({ id: "ProofResult" });

const proof = z
  .strictObject({
    id: z.string(),
    state: z.enum(["running", "proven", "bad", "failed", "refused", "cancelled"]),
    started_at: instant,
    finished_at: instant.nullable(),
    says: z.string().nullable().describe("What was found, or why there is no verdict"),
    result: proofResult.nullable().describe("Null where it did not come to a verdict"),
  })
  .meta({ id: "Proof" });

export const proofsContract = {
  "GET /api/proofs": {
    summary: "The last proofs of backups, the newest first, with all that they found and measured",
    tag: "proofs",
    scope: "read",
    query: pageQuery.omit({ sort: true }).extend({
      cursor: z
        .string()
        .regex(/^op_[0-7][0-9A-HJKMNP-TV-Z]{25}$/, "expected the id of an operation")
        .optional(),
    }),
    answers: { 200: page(proof) },
  },
} as const satisfies Contract;
