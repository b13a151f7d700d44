import { z } from "zod";
import { repositoryName } from "../../config/storage.ts";
import { placeFields } from "../../operations/storage/add-input.ts";
import { instant, observedPage, operationQuery, pageQuery, plan, unsafeQuery, type Contract } from "../endpoint.ts";
import { operation } from "./operations.ts";

const repository = z
  .strictObject({
    name: z.string(),
    number: z.int().describe("pgBackRest's own: repo1, repo2, …"),
    type: z.enum(["disk", "s3"]),
    place: z.string(),
    encrypted: z.boolean(),
    backups: z.int(),
    stored_bytes: z.number(),
    free_bytes: z.number().nullable().describe("Null for S3, which does not tell"),
    last_backup_at: instant.nullable(),
    last_archived_at: instant.nullable().describe("When the newest WAL without a gap before it arrived"),
    trouble: z.string().nullable().describe("Null when nothing is the matter with it"),
    hint: z.string().nullable(),
  })
  .meta({ id: "Repository" });

const params = z.strictObject({ name: repositoryName });

const key = z
  .string()
  .regex(/^[\x21-\x7e]{1,500}$/, "expected visible ASCII characters")
  .optional();

export const storageContract = {
  "GET /api/storage": {
    summary: "Where backups are kept, and whether that works",
    tag: "storage",
    scope: "read",
    query: pageQuery.omit({ sort: true }),
    answers: { 200: observedPage(repository) },
  },
  "POST /api/storage": {
    summary: "Add a repository for backups and WAL, once it was seen to work",
    tag: "storage",
    scope: "admin",
    proven: true,
    query: operationQuery,
    body: z.strictObject({
      ...placeFields,
      key: key.describe("s3: the access key"),
      key_secret: key.describe("s3: the secret key. It is kept in storage.json alone"),
    }),
    answers: { 200: plan, 202: operation },
  },
  "POST /api/storage/{name}/test": {
    summary: "Write, read, list and delete something in a repository, and have pgBackRest read what is there",
    tag: "storage",
    change: "storage.test",
    scope: "operate",
    params,
    query: unsafeQuery,
    answers: {
      200: z.union([
        z
          .strictObject({
            name: z.string(),
            place: z.string(),
            ok: z.boolean(),
            says: z.string(),
            hint: z.string().nullable(),
            versioning: z
              .enum(["on", "off"])
              .nullable()
              .describe("Whether the bucket keeps what is deleted; null where that is not known"),
          })
          .meta({ id: "StorageTest" }),
        plan,
      ]),
    },
  },
} as const satisfies Contract;
