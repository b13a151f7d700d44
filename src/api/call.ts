import type { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import type { Actor } from "../accounts/roles.ts";
import type { Json } from "../core/json.ts";
import type { Answer, Contract, Endpoint, Input } from "./endpoint.ts";

/** What a change did, for the audit log; what is not said here is told by the request itself. */
export interface AuditNote {
  action: string;
  target: string;
  before?: Json;
  after?: Json;
}

/** One try under an Idempotency-Key; without a key each is the first. */
export interface Attempt {
  /** An earlier try came as far as `begin`, and its hub ended before there was an answer. */
  isBegun: boolean;
  /** From here on something is done: whoever asks again goes on with it, instead of finding it in his way. */
  begin(): Promise<void>;
}

/** One checked request. */
export interface Call<E extends Endpoint> extends Input<E> {
  /** Open routes may have none: then this is nobody in particular, who may do nothing. */
  actor: Actor;
  request: FastifyRequest;
  /** Aborted when the caller goes away. */
  signal: AbortSignal;
  attempt: Attempt;
  /** Says what was done to what; a read that is worth a record says it too. */
  audit(note: AuditNote): void;
}

/** One server-sent event. */
export interface Message {
  /** From where a follower that was cut off goes on. */
  id?: string;
  event: string;
  data: unknown;
}

/** An answer that is no JSON. */
export type Other =
  | { status: number; text: string; type: string; headers?: Record<string, string | string[]> }
  | { status: number; stream: Readable; type: string; headers?: Record<string, string> }
  | { events: AsyncIterable<Message> };

type Result<E extends Endpoint> = E extends { produces: string } ? Other : Answer<E>;

/** A function for each route of a contract. */
export type Handlers<C extends Contract> = {
  [Key in keyof C & keyof Contract]: (call: Call<C[Key]>) => Promise<Result<C[Key]>>;
};

/** An answer as it is sent, whatever its route. */
export interface Sent {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** A route with what serves it, once their types have been seen to fit. */
export interface Mounted {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With parameters in braces. */
  path: string;
  endpoint: Endpoint;
  handler(call: Call<Endpoint>): Promise<Sent | Other>;
}

/** A route's path as the router takes it. */
export const routerPath = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ":$1");

/** A contract and its handlers as a list of routes. */
export function routesOf<C extends Contract>(contract: C, handlers: Handlers<C>): Mounted[] {
  return Object.entries(contract).map(([key, endpoint]) => {
    const [method, path] = key.split(" ") as [Mounted["method"], string];
    return { method, path, endpoint, handler: handlers[key as keyof typeof handlers] };
  });
}
