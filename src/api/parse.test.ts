import type { FastifyRequest } from "fastify";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { HomelabError } from "../core/errors.ts";
import { pageQuery, type Endpoint } from "./endpoint.ts";
import { parseInput } from "./parse.ts";

const endpoint = { summary: "", tag: "", scope: null, answers: {} } satisfies Endpoint;
const withBody = { ...endpoint, body: z.strictObject({ name: z.string().optional() }) };
const withPage = { ...endpoint, query: pageQuery };

/** What the checks say of a request; undefined when it goes through. */
function refusal(on: Endpoint, request: { body?: unknown; query?: unknown }): HomelabError | undefined {
  try {
    parseInput(on, { params: {}, query: {}, ...request } as FastifyRequest);
  } catch (error) {
    return error as HomelabError;
  }
}

describe("a request that does not hold", () => {
  test("is told its faults, and of very many only the first", () => {
    const body = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`field_${i}`, i]));
    for (const on of [withBody, endpoint]) {
      const error = refusal(on, { body })!;
      expect(error.code).toBe("input_invalid");
      expect(error.errors).toHaveLength(20);
      expect(error.message).toMatch(/^field_0: unknown field; .*; and more$/);
    }
    const many = { ...endpoint, body: z.strictObject({ list: z.array(z.string()) }) };
    expect(refusal(many, { body: { list: Array.from({ length: 200_000 }, () => 1) } })?.errors).toHaveLength(20);
  });

  test("gets the names of its fields back in such a way that they can be printed", () => {
    const error = refusal(withBody, { body: { "\u001b[2J\u202e": 1, ["x".repeat(9999)]: 2 } })!;
    expect(error.errors![0]!.field).toBe("\\u202e");
    expect(error.errors![1]!.field).toHaveLength(100);
  });

  test.each(["text", 5, true, [], [1]])("has a body %j where none is taken", (body) => {
    expect(refusal(endpoint, { body })?.errors).toEqual([{ field: "", message: "none is taken here" }]);
  });

  test("says null where an object is wanted, which is not the same as saying nothing", () => {
    expect(refusal(withBody, { body: null })?.code).toBe("input_invalid");
    expect(refusal(withBody, {})).toBeUndefined();
  });
});

describe("a number in an address", () => {
  test.each(["1", "1000", "1e2", "10.0"])("may be %s", (limit) => {
    expect(refusal(withPage, { query: { limit } })).toBeUndefined();
  });

  test.each(["", " ", "0x10", "+1", "01", "1_0", "1,5", "٣", "NaN", "Infinity", "1e999", "0", "1001", "1.5"])(
    "may not be %j",
    (limit) => {
      expect(refusal(withPage, { query: { limit } })?.errors).toMatchObject([{ field: "limit" }]);
    },
  );

  test("may not stand there twice", () => {
    expect(refusal(withPage, { query: { limit: ["1", "2"] } })?.errors).toMatchObject([{ field: "limit" }]);
  });
});
