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
  /** Milliseconds to its end; a stream of events is left after a while. */
  ms: number;
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
  async send({ method, target, headers, body, from }: WireRequest): Promise<WireAnswer> {
    const begun = performance.now();
    const length = body ? { "content-length": String(body.length) } : {};
    const request = open({
      ...{ host: "127.0.0.1", port: this.#port, method, path: target, localAddress: from },
      // Addresses that are used once get a connection that is used once.
      agent: from === "127.0.0.1" ? this.#kept : false,
      headers: { ...headers, ...length },
    });
    const late = setTimeout(() => request.destroy(new Error(`no answer within ${PATIENCE / 1000} s`)), PATIENCE);
    try {
      const answered = new Promise<IncomingMessage>((resolve, reject) => {
        request.on("response", resolve).on("error", reject);
      });
      request.end(body);
      const response = await answered;
      const { text, ended } = await read(response);
      if (!ended) request.destroy();
      return {
        ...{ status: response.statusCode!, headers: response.headers, text },
        ms: performance.now() - begun,
      };
    } finally {
      clearTimeout(late);
    }
  }

  close(): void {
    this.#kept.destroy();
  }
}

/** The whole of an answer, or what came of it in the time that a stream of events gets. */
function read(response: IncomingMessage): Promise<{ text: string; ended: boolean }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const done = (ended: boolean) => resolve({ text: Buffer.concat(chunks).toString(), ended });
    if (response.headers["content-type"]?.startsWith("text/event-stream")) setTimeout(done, STREAM_TIME, false).unref();
    response
      .on("data", (chunk: Buffer) => void chunks.push(chunk))
      .on("end", () => done(true))
      .on("error", reject)
      .on("aborted", () => reject(new Error("the answer broke off")));
  });
}
