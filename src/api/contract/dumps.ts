import { z } from "zod";
import { databaseName } from "../../operations/database/database-name.ts";
import { BYTES, instant, page, pageQuery, plan, unsafeQuery, type Contract } from "../endpoint.ts";
import { operation } from "./operations.ts";

const params = z.strictObject({ name: databaseName });

const dump = z
  .strictObject({
    id: z.string(),
    database: z.string(),
    made_at: instant,
    dump_bytes: z.number().describe("Of the dump itself"),
    stored_bytes: z.number(),
    postgresql: z.string(),
    encrypted: z.boolean(),
    note: z.string().nullable(),
  })
  .meta({ id: "Dump" });

export const dumpsContract = {
  "GET /api/databases/{name}/export": {
    summary: "A dump of one database as it is now, streamed (pg_dump --format=custom); each is in the audit log",
    tag: "databases",
    scope: "provision",
    proven: true,
    params,
    answers: { 200: null },
    produces: BYTES,
  },
  "POST /api/databases/{name}/import": {
    summary:
      "Bring a dump, sent as the body, into a new database or an empty one: a custom archive, or SQL, which gzip may have packed",
    tag: "databases",
    scope: "provision",
    params,
    query: unsafeQuery.extend({
      trust_dump: z
        .enum(["true", "false"])
        .default("false")
        .transform((text) => text === "true")
        .describe("You made this dump yourself: PostgreSQL's programs here run what a crafted one tells them"),
    }),
    takes: BYTES,
    answers: { 200: plan, 202: operation },
  },
  "GET /api/databases/{name}/dumps": {
    summary: "The dumps of one database in the repository's folder, the newest first; also of one that is gone",
    tag: "databases",
    scope: "read",
    params,
    query: pageQuery.omit({ sort: true }),
    answers: { 200: page(dump) },
  },
} as const satisfies Contract;
