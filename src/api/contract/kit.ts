import { z } from "zod";
import { instant, type Contract } from "../endpoint.ts";

/** Characters of a passphrase: whoever finds a kit may try as many as he can pay for. */
const SHORTEST = 12;

export const kitContract = {
  "GET /api/platform/kit": {
    summary: "When the last recovery kit was made, and whether it still has all that belongs in it",
    tag: "platform",
    scope: "read",
    answers: {
      200: z
        .strictObject({
          made_at: instant.nullable(),
          tested_at: instant.nullable().describe("When it was last opened, and a backup with it"),
          outdated: z.boolean(),
          reason: z.string().nullable().describe("Why another one should be made"),
        })
        .meta({ id: "RecoveryKit" }),
    },
  },
  "POST /api/platform/kit": {
    summary: "Make a recovery kit: what a new machine needs beside a repository, sealed with a passphrase (age)",
    tag: "platform",
    scope: "admin",
    proven: true,
    body: z.strictObject({
      passphrase: z
        .string()
        .min(SHORTEST)
        .max(1000)
        .describe("It is stored nowhere: without it, the kit is of no use to anybody"),
    }),
    answers: { 200: null },
    produces: "application/octet-stream",
  },
} as const satisfies Contract;
