import { request as send, type IncomingHttpHeaders, type RequestOptions } from "node:http";
import { connect } from "node:net";
import { hubSocketPath } from "../../src/cluster/home.ts";
import type { TestHome } from "./home.ts";

/** What the hub answered. */
export interface ApiAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The `code` of a problem; undefined for anything else. */
  code: string | undefined;
  json<T = Record<string, unknown>>(): T;
}

/** What a request brings beside its method and path. */
export interface Sent {
  /** Sent as JSON; a text or bytes go as they are. */
  body?: unknown;
  headers?: Record<string, string | string[]>;
}

type Way = Pick<RequestOptions, "host" | "port" | "socketPath" | "localAddress">;

/** A client of a hub: nothing is added to what a test says, and no status is an error. */
export class Api {
  readonly #way: Way;
  readonly #headers: Record<string, string | string[]>;

  private constructor(way: Way, headers: Record<string, string | string[]> = {}) {
    this.#way = way;
    this.#headers = headers;
  }

  /** By the network, as everybody comes; from another address of the loopback network where one is named. */
  static network(home: TestHome, from?: string): Api {
    return new Api({ host: "127.0.0.1", port: home.port(5000), ...(from ? { localAddress: from } : {}) });
  }

  /** By the socket, as the commands on the machine come. */
  static socket(home: TestHome): Api {
    return new Api({ socketPath: hubSocketPath(home.paths) });
  }

  /** The same with headers that go with each request. */
  with(headers: Record<string, string | string[]>): Api {
    return new Api(this.#way, { ...this.#headers, ...headers });
  }

  withKey(key: string): Api {
    return this.with({ "x-api-key": key });
  }

  get(path: string, headers?: Sent["headers"]): Promise<ApiAnswer> {
    return this.ask("GET", path, { headers });
  }

  post(path: string, body?: unknown, headers?: Sent["headers"]): Promise<ApiAnswer> {
    return this.ask("POST", path, { body, headers });
  }

  patch(path: string, body: unknown): Promise<ApiAnswer> {
    return this.ask("PATCH", path, { body });
  }

  delete(path: string, headers?: Sent["headers"]): Promise<ApiAnswer> {
    return this.ask("DELETE", path, { headers });
  }

  ask(method: string, path: string, { body, headers = {} }: Sent = {}): Promise<ApiAnswer> {
    const isRaw = typeof body === "string" || Buffer.isBuffer(body);
    const payload = body === undefined || isRaw ? body : JSON.stringify(body);
    const all: Record<string, string | string[]> = { ...this.#headers, ...headers };
    if (body !== undefined && !isRaw) all["content-type"] ??= "application/json";
    if (payload !== undefined) all["content-length"] ??= String(Buffer.byteLength(payload));
    return new Promise((resolve, reject) => {
      const request = send({ ...this.#way, method, path, headers: all, timeout: 60_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve(answerOf(response.statusCode!, response.headers, Buffer.concat(chunks).toString())),
        );
      });
      request.on("timeout", () => request.destroy(new Error(`${method} ${path}: no answer`)));
      request.on("error", reject);
      request.end(payload);
    });
  }

  /** A stream of events: the text of what came so far, and whether it has ended. */
  async stream(
    path: string,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; text(): string; ended(): boolean; close(): void }> {
    return new Promise((resolve, reject) => {
      const request = send({ ...this.#way, method: "GET", path, headers: this.#headers, agent: false }, (response) => {
        let [text, ended] = ["", false];
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("error", () => {});
        response.on("close", () => (ended = true));
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, text: () => text, ended: () => ended, close: () => request.destroy() });
      });
      request.on("error", reject);
      request.end();
    });
  }
}

function answerOf(status: number, headers: IncomingHttpHeaders, text: string): ApiAnswer {
  const isJson = /json/.test(headers["content-type"] ?? "");
  const json = <T>() => JSON.parse(text) as T;
  return { status, headers, text, code: isJson && text ? json<{ code?: string }>().code : undefined, json };
}

/** Sends bytes as they are, and answers all that comes back until the hub ends the connection, or says no more for a while. */
export function sendRaw(home: TestHome, bytes: string | Buffer, quietFor = 1000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(home.port(5000), "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => (text += chunk.toString("latin1")));
    socket.setTimeout(quietFor, () => socket.destroy());
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    socket.write(bytes);
  });
}
