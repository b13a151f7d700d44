import type { z } from "zod";
import type { accountsContract } from "../../api/contract/accounts.ts";
import type { backupsContract } from "../../api/contract/backups.ts";
import type { databasesContract } from "../../api/contract/databases.ts";
import type { dumpsContract } from "../../api/contract/dumps.ts";
import type { healthContract } from "../../api/contract/health.ts";
import type { kitContract } from "../../api/contract/kit.ts";
import type { operationsContract } from "../../api/contract/operations.ts";
import type { platformContract } from "../../api/contract/platform.ts";
import type { proofsContract } from "../../api/contract/proofs.ts";
import type { storageContract } from "../../api/contract/storage.ts";
import type { restoresContract } from "../../api/contract/restores.ts";

/** Every route that the commands call. Types alone: what checks them stays with the server, and costs a command nothing. */
type FullContract = typeof accountsContract &
  typeof backupsContract &
  typeof databasesContract &
  typeof dumpsContract &
  typeof healthContract &
  typeof kitContract &
  typeof operationsContract &
  typeof restoresContract &
  typeof platformContract &
  typeof storageContract &
  typeof proofsContract;

/** A route by its name: `GET /api/databases/{name}`. */
export type Route = keyof FullContract;

type Schema<K extends Route, Part extends string> = FullContract[K] extends Record<Part, infer S> ? S : undefined;

type Sent<S> = S extends z.ZodType ? z.input<S> : undefined;

type Optional<Name extends string, S> = S extends z.ZodType ? { [N in Name]?: Sent<S> } : { [N in Name]?: undefined };

type Required<Name extends string, S> = S extends z.ZodType ? { [N in Name]: Sent<S> } : { [N in Name]?: undefined };

/** What a call of a route sends. */
export type CallInput<K extends Route> = Required<"params", Schema<K, "params">> &
  Optional<"query", Schema<K, "query">> &
  Required<"body", Schema<K, "body">>;

type Answers<K extends Route> = FullContract[K]["answers"];

/** What a route answers when all went well. */
export type Body<K extends Route> = {
  [Status in keyof Answers<K>]: Answers<K>[Status] extends z.ZodType ? z.output<Answers<K>[Status]> : undefined;
}[keyof Answers<K>];

/** A route that answers with one page of a list. */
export type ListRoute = { [K in Route]: Body<K> extends { items: unknown[]; next_cursor: unknown } ? K : never }[Route];

/** An operation, as the API shows it. */
export type OperationBody = Body<"GET /api/operations/{id}">;

/** A line of an operation's history. */
export type EntryBody = Body<"GET /api/operations/{id}/log">["items"][number];
