import type { Readable } from "node:stream";
import { sleep } from "../../core/clock.ts";
import { HomelabError } from "../../core/errors.ts";
import { addressOf, type AnyInput } from "./address.ts";
import type { Body, CallInput, ListRoute, Route } from "./contract.ts";
import { readEvents, type ServerEvent } from "./events.ts";
import { problemOf } from "./problem.ts";
import { ConnectionFailed, textOf, type ApiRequest, type ApiResponse, type Transport } from "./transport.ts";

/** A request as a command makes it. */
interface Asked {
  method: string;
  path: string;
  body?: ApiRequest["body"];
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** For so many milliseconds a request is tried again that another operation, or the want of a leader, stood in the way of. */
const PATIENCE: Record<string, number> = { busy: 30_000, no_leader: 15_000 };

/** Milliseconds for which a stream that was cut off is taken up again. */
const COMES_BACK_WITHIN = 60_000;

/** As many items as the API gives at once. */
const PAGE = 1000;

/** What every command asks: the API, whichever way leads to it. */
export class Api {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Calls a route and answers its body. @throws HomelabError with the code of the problem that it answers */
  async call<K extends Route>(route: K, input: CallInput<K>, signal?: AbortSignal): Promise<Body<K>> {
    const { method, path } = addressOf(route, input as AnyInput);
    const body = input.body === undefined ? undefined : JSON.stringify(input.body);
    const text = await this.text({ method, path, body, signal });
    return (text === "" ? undefined : this.#read(text)) as Body<K>;
  }

  /** Sends bytes to a route that takes them, and answers its body; `open` may be called again where it is asked to wait. */
  async upload<K extends Route>(
    route: K,
    input: AnyInput,
    { open, size }: { open: () => Readable; size: number | undefined },
    signal?: AbortSignal,
  ): Promise<Body<K>> {
    const { method, path } = addressOf(route, input);
    const length: Record<string, string> = size === undefined ? {} : { "content-length": String(size) };
    const headers = { "content-type": "application/octet-stream", ...length };
    return this.#read(await this.text({ method, path, headers, body: open, signal })) as Body<K>;
  }

  /** A list with all of its pages, or with as many items as are wanted: the body of the first one, with every item. */
  async list<K extends ListRoute>(route: K, input: CallInput<K>, most = Infinity): Promise<Body<K>> {
    let all: (Body<K> & { items: unknown[]; next_cursor: string | null }) | undefined;
    for (;;) {
      const limit = Math.min(PAGE, most - (all?.items.length ?? 0));
      const { query } = input as AnyInput;
      const asked = { ...input, query: { ...query, limit, ...(all ? { cursor: all.next_cursor } : {}) } };
      const page = (await this.call(route, asked)) as NonNullable<typeof all>;
      all = all ? { ...all, items: [...all.items, ...page.items], next_cursor: page.next_cursor } : page;
      if (all.next_cursor === null || all.items.length >= most) return all;
    }
  }

  /** Follows a stream of events, also when it is cut off on the way; ends with the signal, or when the caller has enough. */
  async *events<K extends Route>(route: K, input: CallInput<K>, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const { method, path } = addressOf(route, input as AnyInput);
    let last: string | undefined;
    let heard = Date.now();
    while (!signal.aborted) {
      const headers = { accept: "text/event-stream", ...(last === undefined ? {} : { "last-event-id": last }) };
      try {
        const { body } = await this.request({ method, path, headers, signal });
        for await (const event of readEvents(body)) {
          last = event.id ?? last;
          heard = Date.now();
          yield event;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof HomelabError && error.code !== "not_running") throw error;
        if (Date.now() - heard > COMES_BACK_WITHIN) throw error;
      }
      await sleep(200, signal).catch(() => {});
    }
  }

  /** The whole answer to any request. @throws HomelabError */
  async text(asked: Asked): Promise<string> {
    try {
      return await textOf(await this.request(asked));
    } catch (error) {
      throw this.#explained(error, asked);
    }
  }

  /** Any request; answers once it went well. @throws HomelabError */
  async request(asked: Asked): Promise<ApiResponse> {
    const begun = Date.now();
    for (;;) {
      const response = await this.#send(asked);
      if (response.status >= 200 && response.status < 300) return response;
      const error = await problemOf(response, this.#transport.where);
      // Without the time, it is the operation itself that refuses.
      const patience = error.retryAfterSeconds === undefined ? undefined : PATIENCE[error.code];
      if (patience === undefined || Date.now() - begun > patience) throw error;
      await sleep(250, asked.signal);
    }
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  async #send(asked: Asked): Promise<ApiResponse> {
    const type: Record<string, string> = asked.body === undefined ? {} : { "content-type": "application/json" };
    try {
      return await this.#transport.send({
        ...asked,
        headers: { accept: "application/json", ...type, ...asked.headers },
      });
    } catch (error) {
      throw this.#explained(error, asked);
    }
  }

  /** A connection that broke while an answer was awaited; refused ones each transport tells itself. */
  #explained(error: unknown, { method }: Asked): unknown {
    if (!(error instanceof ConnectionFailed)) return error;
    const hint = method === "GET" ? undefined : "It may have been begun all the same: homelab op list shows it.";
    const { where } = this.#transport;
    return new HomelabError("not_running", `${where} went away before it answered: ${error.message}`, {
      hint,
      cause: error,
    });
  }

  #read(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new HomelabError("failed", `${this.#transport.where} does not answer as a hub of homelab does`, { cause });
    }
  }
}
