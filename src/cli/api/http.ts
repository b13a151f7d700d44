import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { Readable } from "node:stream";
import { ConnectionFailed, type ApiRequest, type ApiResponse } from "./transport.ts";

/** Where a request goes. */
export type Target = { socketPath: string } | { url: URL };

/** Milliseconds for a connection to come about. */
const CONNECT_WITHIN = 10_000;

/** Milliseconds without a byte: a change may take its time, and streams of events say something each 15 s. */
const SILENCE = 600_000;
const SILENCE_OF_EVENTS = 45_000;

/** Sends one request over a connection of its own. @throws ConnectionFailed, or the signal's own reason */
export async function sendHttp(target: Target, request: ApiRequest): Promise<ApiResponse> {
  const { method, path, headers, body, signal } = request;
  const length = typeof body !== "string" ? {} : { "content-length": String(Buffer.byteLength(body)) };
  const options: RequestOptions = {
    ...("url" in target ? addressOf(target.url) : target),
    path: "url" in target ? `${target.url.pathname.replace(/\/+$/, "")}${path}` : path,
    ...{ method, signal, agent: false, timeout: CONNECT_WITHIN },
    headers: { ...headers, ...length },
  };
  const isTls = "url" in target && target.url.protocol === "https:";
  const response = await answerOf((isTls ? builtin("node:https") : builtin("node:http")).request(options), request);
  return { status: response.statusCode ?? 0, headers: response.headers, body: response };
}

/** An import statement would also load undici, for names that nobody asked for: 40 of a command's 90 ms. */
const builtin = process.getBuiltinModule;

const addressOf = ({ hostname, port }: URL): RequestOptions => ({
  // Without the brackets of an IPv6 address.
  hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
  ...(port ? { port } : {}),
});

function answerOf(sent: ClientRequest, { body, headers }: ApiRequest): Promise<IncomingMessage> {
  const silence = headers["accept"] === "text/event-stream" ? SILENCE_OF_EVENTS : SILENCE;
  return new Promise((resolve, reject) => {
    let connected = false;
    sent.once("socket", (socket) => {
      socket.once("connect", () => {
        connected = true;
        sent.setTimeout(silence);
        if (typeof body === "function") sendAll(body(), sent);
      });
    });
    sent.once("timeout", () => sent.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })));
    // Also after the answer has begun: then its body tells.
    sent.on("error", (error: NodeJS.ErrnoException) =>
      reject(error.name === "AbortError" ? error : new ConnectionFailed(error, !connected)),
    );
    sent.once("response", resolve);
    if (typeof body !== "function") sent.end(body);
  });
}

/** Sends bytes as far as they are wanted: whoever refuses them answers before they are all there. */
function sendAll(bytes: Readable, sent: ClientRequest): void {
  bytes.once("error", (error) => sent.destroy(error));
  sent.once("close", () => bytes.destroy());
  sent.once("response", ({ statusCode = 0 }: IncomingMessage) => {
    if (statusCode < 400) return;
    bytes.unpipe(sent).destroy();
  });
  bytes.pipe(sent);
}
