import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import S3rver from "s3rver";
import { DUMMY_ACCOUNT } from "s3rver/lib/models/account.js";
import { refusalOf } from "./s3-signature.ts";
import { mendStore } from "./s3-store.ts";

/** What the test tells this server, one JSON document a line; the first one begins it. */
export interface S3Orders {
  /** Where objects are kept. */
  folder?: string;
  bucket?: string;
  /** Access keys with their secrets. */
  keys?: Record<string, string>;
  certificate?: string;
  key?: string;
  /** Nobody listens. */
  away?: boolean;
  /** Bytes a second that all bodies together come with; 0 for as fast as they can. */
  speed?: number;
  /** Whatever is written is refused for want of space. */
  full?: boolean;
  /** Deleting is refused. */
  keepsAll?: boolean;
  /** Milliseconds that the server's clock is ahead. */
  clockAhead?: number;
}

const orders: Required<S3Orders> = {
  folder: "",
  bucket: "",
  keys: {},
  certificate: "",
  key: "",
  away: false,
  speed: 0,
  full: false,
  keepsAll: false,
  clockAhead: 0,
};

const STATUS: Record<string, number> = { QuotaExceeded: 507 };

function refuse(response: ServerResponse, code: string): void {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  response.writeHead(STATUS[code] ?? 403, { "content-type": "application/xml", "content-length": xml.length });
  response.end(xml);
}

/** When the line to this server is free again, where it is a slow one. */
let free = 0;

/** Milliseconds until a body has come through a line of so many bytes a second that all requests share. */
function wayOf(request: IncomingMessage): number {
  const bytes = Number(request.headers["content-length"] ?? 0);
  free = Math.max(free, Date.now()) + (bytes / orders.speed) * 1000;
  return free - Date.now();
}

let serve: (request: IncomingMessage, response: ServerResponse) => void;
let server: Server | undefined;
let port = 0;

function answer(request: IncomingMessage, response: ServerResponse): void {
  const refusal = refusalOf(request, new Map(Object.entries(orders.keys)), Date.now() + orders.clockAhead);
  const isWriting = request.method === "PUT" || (request.method === "POST" && !/[?&]delete\b/.test(request.url!));
  const isDeleting = request.method === "DELETE" || /[?&]delete\b/.test(request.url!);
  const code =
    refusal ??
    (orders.full && isWriting ? "QuotaExceeded" : orders.keepsAll && isDeleting ? "AccessDenied" : undefined);
  if (code) return void request.resume().on("end", () => refuse(response, code));
  // Until somebody reads it, a body stays with the sender.
  if (orders.speed > 0 && isWriting) setTimeout(() => serve(request, response), wayOf(request));
  else serve(request, response);
}

async function listen(): Promise<void> {
  const { certificate: cert, key } = orders;
  server = createServer({ cert, key }, answer);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
}

async function leave(): Promise<void> {
  const left = server!;
  server = undefined;
  left.close();
  left.closeAllConnections();
  await once(left, "close");
}

async function begin(): Promise<void> {
  mendStore();
  for (const [key, secret] of Object.entries(orders.keys)) DUMMY_ACCOUNT.createKeyPair(key, secret);
  const { folder: directory, bucket } = orders;
  const rover = new S3rver({
    directory,
    silent: true,
    vhostBuckets: false,
    configureBuckets: [{ name: bucket, configs: [] }],
  });
  rover.on("error", () => {});
  serve = rover.callback();
  await rover.configureBuckets();
}

let begun = false;
for await (const line of createInterface({ input: process.stdin })) {
  Object.assign(orders, JSON.parse(line) as S3Orders);
  if (!begun) await begin();
  begun = true;
  if (server && orders.away) await leave();
  else if (!server && !orders.away) await listen();
  else server?.setSecureContext({ cert: orders.certificate, key: orders.key });
  process.stdout.write(`${JSON.stringify({ port })}\n`);
}
process.exit(0);
