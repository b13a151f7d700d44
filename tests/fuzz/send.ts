import { Agent, request as open, type IncomingHttpHeaders, type IncomingMessage } from "node:http";

/** A request as it goes over the wire. */
export interface WireRequest {
  method: string;
  /** Path and query, as they stand in the first line. */
  target: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
  /** The address that it comes from. */
  from: string;
}

/** What came back. */
export interface WireAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Milliseconds to its end. */
  ms: number;
  /** Whether the answer ended by itself; a stream of events is left after a while. */
  ended: boolean;
}

/** Milliseconds after which a request counts as not answered. */
const PATIENCE = 40_000;

/** Milliseconds for which a stream of events is read. */
const STREAM_TIME = 150;

/** Sends requests to one hub, byte by byte as they are given. */
export class Sender {
  readonly #port: number;
  readonly #kept = new Agent({ keepAlive: true, maxSockets: 16 });

  constructor(port: number) {
    this.#port = port;
  }

  /** @throws when the connection ends without an answer, or there is none in time */
  send({ method, target, headers, body, from }: WireRequest): Promise<WireAnswer> {
    const begun = performance.now();
    return new Promise((resolve, reject) => {
      // Addresses that are used once get a connection that is used once.
      const agent = from === "127.0.0.1" ? this.#kept : false;
      const length = body && !("transfer-encoding" in headers) ? { "content-length": String(body.length) } : {};
      const request = open({
        host: "127.0.0.1",
        port: this.#port,
        method,
        path: target,
        agent,
        localAddress: from,
        headers: { ...headers, ...length },
      });
      const late = setTimeout(() => request.destroy(new Error(`no answer within ${PATIENCE / 1000} s`)), PATIENCE);
      request.on("error", reject).on("close", () => clearTimeout(late));
      request.on("response", (response) => {
        read(response).then(({ text, ended }) => {
          clearTimeout(late);
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            text,
            ms: performance.now() - begun,
            ended,
          });
          if (!ended) request.destroy();
        }, reject);
      });
      request.end(body);
    });
  }

  close(): void {
    this.#kept.destroy();
  }
}

function read(response: IncomingMessage): Promise<{ text: string; ended: boolean }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const done = (ended: boolean) => resolve({ text: Buffer.concat(chunks).toString(), ended });
    if (/^text\/event-stream/.test(response.headers["content-type"] ?? ""))
      setTimeout(done, STREAM_TIME, false).unref();
    response
      .on("data", (chunk: Buffer) => void chunks.push(chunk))
      .on("end", () => done(true))
      .on("error", reject)
      .on("aborted", () => reject(new Error("the answer broke off")));
  });
}
