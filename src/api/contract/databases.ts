import { z } from "zod";
import { databaseName } from "../../operations/database/database-name.ts";
import { provisionInput } from "../../operations/database/provision-input.ts";
import { instant, observedPage, operationQuery, pageQuery, plan, unsafeQuery, type Contract } from "../endpoint.ts";
import { operation } from "./operations.ts";

const params = z.strictObject({ name: databaseName });

const databaseFields = {
  name: z.string(),
  owner: z.string(),
  size_bytes: z.number().nullable().describe("Up to half a minute old; null until it was measured"),
  connections: z.int(),
  managed: z.boolean().describe("Made by homelab: what others made is shown and never changed"),
  protected: z.boolean(),
  last_backup_at: instant.nullable(),
};

const database = z.strictObject(databaseFields).meta({ id: "Database" });

const databaseDetails = z
  .strictObject({
    ...databaseFields,
    host: z.string(),
    port: z.int(),
    pooled_port: z.int(),
    user: z.string().nullable(),
    read_only_user: z.string().nullable(),
    created_at: instant.nullable(),
    old_password_until: instant.nullable(),
    observed_at: instant,
    stale: z.boolean(),
  })
  .meta({ id: "DatabaseDetails" });

/** The ways into a database. Holds passwords. */
const access = z
  .strictObject({
    database: z.string(),
    user: z.string(),
    password: z.string(),
    connection_url: z.string().describe("Direct: for migrations, pg_dump and LISTEN"),
    pooled_url: z.string().describe("Pooled in transaction mode: for apps"),
    read_only_url: z.string(),
    pooled_read_only_url: z.string(),
    host: z.string(),
    port: z.int(),
  })
  .meta({ id: "DatabaseAccess" });

/** The same for a service that asks again: without the password, which was handed out once. */
const knownAccess = access
  .omit({ password: true, read_only_url: true, pooled_read_only_url: true })
  .extend({ service: z.string() })
  .meta({ id: "KnownDatabaseAccess" });

const { name: _name, ...provisionFields } = provisionInput.shape;

export const databasesContract = {
  "GET /api/databases": {
    summary: "Every database",
    tag: "databases",
    scope: "read",
    query: pageQuery.extend({ sort: z.enum(sortable(["name", "owner", "size_bytes", "connections"])).optional() }),
    answers: { 200: observedPage(database) },
  },
  "POST /api/databases": {
    summary: "Create a database with its roles, and hand its URLs back",
    tag: "databases",
    scope: "provision",
    query: unsafeQuery,
    body: z.strictObject({ database_name: databaseName, ...provisionFields }),
    answers: { 200: plan, 201: access },
  },
  "POST /api/databases/provision-for-service": {
    summary: "The database of a service, <service>_db: made at the first call, the same one from then on",
    tag: "databases",
    scope: "provision",
    query: unsafeQuery,
    body: z.strictObject({
      service_name: z
        .string()
        .regex(/^[A-Za-z][A-Za-z0-9 ._-]{0,55}$/, "expected letters, digits, spaces, dots, _ and -, a letter first"),
      extensions: provisionInput.shape.extensions,
      connection_limit: provisionInput.shape.connection_limit,
    }),
    answers: { 200: z.union([knownAccess, plan]), 201: access.extend({ service: z.string() }) },
  },
  "GET /api/databases/{name}": {
    summary: "One database",
    tag: "databases",
    scope: "read",
    params,
    answers: { 200: databaseDetails },
  },
  "DELETE /api/databases/{name}": {
    summary: "Delete a database softly: with a last dump, and to be brought back for a while",
    tag: "databases",
    scope: "provision",
    params,
    query: operationQuery,
    answers: { 200: plan, 202: operation },
  },
  "GET /api/databases/{name}/url": {
    summary: "The ways into a database, with its passwords; each reading is in the audit log",
    tag: "databases",
    scope: "provision",
    proven: true,
    params,
    query: z.strictObject({
      host: z
        .string()
        .regex(/^[A-Za-z0-9.:-]{1,253}$/)
        .optional()
        .describe("The host that the URLs name"),
    }),
    answers: { 200: access },
  },
  "GET /api/deleted-databases": {
    summary: "Deleted databases that can still be brought back",
    tag: "databases",
    scope: "read",
    query: pageQuery.omit({ sort: true }),
    answers: {
      200: observedPage(
        z
          .strictObject({
            name: z.string(),
            deleted_name: z.string(),
            deleted_at: instant,
            undelete_until: instant,
            size_bytes: z.number().nullable(),
          })
          .meta({ id: "DeletedDatabase" }),
      ),
    },
  },
} as const satisfies Contract;

/** Each field's name, and the same with a hyphen before it. */
function sortable<const T extends string>(fields: T[]): [T | `-${T}`, ...(T | `-${T}`)[]] {
  return fields.flatMap((field) => [field, `-${field}` as const]) as [T | `-${T}`, ...(T | `-${T}`)[]];
}
