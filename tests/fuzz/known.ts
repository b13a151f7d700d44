import type { Json } from "../../src/core/json.ts";

/** What a request can be about. */
export type Kind =
  | "database"
  | "deleted"
  | "deleted-name"
  | "operation"
  | "database-operation"
  | "workflow"
  | "task"
  | "user"
  | "key"
  | "session"
  | "cursor"
  | "password";

/** So many of a kind are remembered, the newest; of passwords only the one that is right. */
const REMEMBERED = 12;

/** What stands in for a kind of which there is nothing: well formed, and not there. */
const MADE_UP: Record<Kind, string> = {
  database: "fuzz_a",
  deleted: "fuzz_a",
  "deleted-name": "deleted-20240101000000-0123abcd",
  operation: "op_01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "database-operation": "op_01ARZ3NDEKTSV4RRFFQ69G5FAV",
  workflow: "0190f3a2-7b4c-7d1e-8f2a-3b4c5d6e7f80",
  task: "0190f3a2-7b4c-7d1e-8f2a-3b4c5d6e7f80",
  user: "fuzz-a",
  key: "abcdefgh",
  session: "0190f3a2-7b4c-7d1e-8f2a-3b4c5d6e7f80",
  cursor: "WyJhIiwiYSJd",
  password: "a password of nobody",
};

/** Where an answer tells of something: the route, the field of its items (or of itself), and of what kind it is. */
const SOURCES: [route: string, field: string, kind: Kind][] = [
  ["GET /api/databases", "name", "database"],
  ["POST /api/databases", "database", "database"],
  ["POST /api/databases/provision-for-service", "database", "database"],
  ["GET /api/deleted-databases", "name", "deleted"],
  ["GET /api/deleted-databases", "deleted_name", "deleted-name"],
  ["GET /api/workflows", "id", "workflow"],
  ["GET /api/tasks", "id", "task"],
  ["POST /api/tasks", "id", "task"],
  ["GET /api/users", "name", "user"],
  ["POST /api/users", "name", "user"],
  ["GET /api/keys", "prefix", "key"],
  ["POST /api/keys", "prefix", "key"],
  ["GET /api/sessions", "id", "session"],
];

/** What the hub has, as its own answers tell: so that requests reach things that are there. */
export class KnownThings {
  readonly #things = new Map<Kind, string[]>();
  readonly #guarded = new Set<string>();

  /** What must stay: the fuzzer's own user and keys. */
  guard(value: string): void {
    this.#guarded.add(value);
  }

  isDatabaseOperation(id: string): boolean {
    return this.#things.get("database-operation")?.includes(id) === true;
  }

  /** The `pick`th of a kind; where there is none, something well formed that is not there. */
  resolve(kind: Kind, pick: number): string {
    const things = this.#things.get(kind) ?? [];
    return things[pick % Math.max(1, things.length)] ?? MADE_UP[kind];
  }

  add(kind: Kind, value: string): void {
    if (this.#guarded.has(value)) return;
    const others = (this.#things.get(kind) ?? []).filter((other) => other !== value);
    this.#things.set(kind, [value, ...others].slice(0, kind === "password" ? 1 : REMEMBERED));
  }

  /** Reads an answer that went well. */
  learn(route: string, body: unknown): void {
    const answer = body as { items?: Record<string, Json>[]; next_cursor?: string | null } & Record<string, Json>;
    const items = answer.items ?? [answer];
    for (const [source, field, kind] of SOURCES)
      if (source === route) for (const item of items) if (typeof item[field] === "string") this.add(kind, item[field]);
    if (typeof answer.next_cursor === "string") this.add("cursor", answer.next_cursor);
    for (const { id, operation } of items)
      if (typeof operation === "string" && typeof id === "string")
        this.add(operation.startsWith("database.") ? "database-operation" : "operation", id);
  }
}
