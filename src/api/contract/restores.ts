import { z } from "zod";
import { instant, observedPage, pageQuery, type Contract } from "../endpoint.ts";

const restored = z
  .strictObject({
    name: z.string(),
    of: z.string().describe("The database beside which it stands"),
    state: z
      .enum(["restored", "replaced"])
      .describe("restored: it can take the other's place; replaced: it had that place, and is kept closed"),
    at: instant.describe("When it was restored, or replaced"),
    as_of: instant.nullable().describe("The moment that it is of, where that is known"),
    backup: z.string().nullable(),
    until: instant.nullable().describe("When a replaced one is dropped"),
    size_bytes: z.number().nullable(),
  })
  .meta({ id: "RestoredDatabase" });

export const restoresContract = {
  "GET /api/restores": {
    summary: "What restores left beside their databases: to be switched to, switched back to, or discarded",
    tag: "restores",
    scope: "read",
    query: pageQuery.omit({ sort: true }),
    answers: { 200: observedPage(restored) },
  },
} as const satisfies Contract;
