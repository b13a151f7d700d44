import type { FastifyReply } from "fastify";
import { HomelabError } from "../core/errors.ts";
import type { Message } from "./call.ts";

/** Milliseconds between two signs of life: proxies cut what is silent for a minute, some after half of one. */
const HEARTBEAT = 15_000;

/** Milliseconds after which a stream ends at the latest whose key was revoked, or whose user was signed out (faults S09). */
const LOOK_AGAIN = 500;

/** Streams that one hub keeps open at most, in all and for one caller (faults S26). */
const MOST_STREAMS = 500;
const MOST_FOR_ONE = 50;

const open = new Map<string, number>();

/** A text that stays on its line, whatever is in it. */
const field = (name: string, value: string): string => `${name}: ${value.replace(/[\r\n]/g, "")}\n`;

/** One event as it goes over the wire (HTML Standard, 9.2 "Server-sent events"). */
export const messageText = ({ id, event, data }: Message): string =>
  `${id === undefined ? "" : field("id", id)}${field("event", event)}data: ${JSON.stringify(data)}\n\n`;

/**
 * Streams events until they end or the reader goes away. A reader that does not read holds the writer back; nothing is
 * piled up for it. It ends, too, once `isStillIn` says that the reader would not be let in any more.
 * @throws HomelabError `too_many_requests`
 */
export async function streamEvents(
  reply: FastifyReply,
  caller: string,
  events: AsyncIterable<Message>,
  isStillIn: () => boolean,
): Promise<void> {
  admit(caller);
  reply.hijack();
  const { raw } = reply;
  const headers = { ...reply.getHeaders(), "x-request-id": reply.request.id };
  raw.writeHead(200, {
    ...(headers as Record<string, string>),
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    // nginx would keep events back until its buffer is full.
    "x-accel-buffering": "no",
  });
  raw.write("retry: 1000\n\n");
  const heartbeat = setInterval(() => raw.write(": here\n\n"), HEARTBEAT);
  const guard = setInterval(() => isStillIn() || raw.destroy(), LOOK_AGAIN);
  try {
    for await (const message of events) {
      if (raw.destroyed) break;
      if (!raw.write(messageText(message))) await drained(raw);
    }
  } catch {
    // What went wrong cannot be said any more: the reader comes back, and is told then.
  } finally {
    clearInterval(heartbeat);
    clearInterval(guard);
    raw.end();
    leave(caller);
  }
}

function drained(raw: FastifyReply["raw"]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      raw.off("drain", done).off("close", done);
      resolve();
    };
    raw.on("drain", done).on("close", done);
  });
}

function admit(caller: string): void {
  const mine = open.get(caller) ?? 0;
  const all = [...open.values()].reduce((sum, n) => sum + n, 0);
  if (mine >= MOST_FOR_ONE || all >= MOST_STREAMS)
    throw new HomelabError("too_many_requests", "too many streams are open", { retryAfterSeconds: 5 });
  open.set(caller, mine + 1);
}

function leave(caller: string): void {
  const left = (open.get(caller) ?? 1) - 1;
  if (left > 0) open.set(caller, left);
  else open.delete(caller);
}
