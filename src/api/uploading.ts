import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { HomelabError } from "../core/errors.ts";

/** Connections by which somebody who may sends a large thing. */
const uploading = new WeakSet<Socket>();

/** Whether a request on this connection may take longer than others to come. */
export const isUploading = (socket: Socket): boolean => uploading.has(socket);

/** Milliseconds without a byte after which the sender is given up. */
const SILENCE = 30_000;

/**
 * What a request brings, as it comes. From here on it may take longer than a request may otherwise, as long as something
 * comes. @throws HomelabError `request_timeout`, and `request_malformed` when it breaks off
 */
export async function* uploadOf(request: IncomingMessage, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { socket } = request;
  uploading.add(socket);
  const slow = new HomelabError("request_timeout", `nothing came for ${SILENCE / 1000} s`);
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => request.destroy(slow), SILENCE).unref();
  };
  try {
    wait();
    for await (const chunk of body) {
      wait();
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof HomelabError) throw cause;
    throw new HomelabError("request_malformed", "the upload broke off", { cause });
  } finally {
    clearTimeout(timer);
    uploading.delete(socket);
  }
}
