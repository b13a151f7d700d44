import type { Readable } from "node:stream";

/** One request to the API, by whatever way it goes. */
export interface ApiRequest {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  /** A text; or what opens the bytes, once there is a connection for them. */
  body?: string | (() => Readable);
  signal?: AbortSignal;
}

export interface ApiResponse {
  status: number;
  headers: Record<string, string | string[] | number | undefined>;
  body: AsyncIterable<Uint8Array>;
}

/** A way to the API: over the network, over the node's socket, or within this process. */
export interface Transport {
  /** What a person calls the other end. */
  where: string;
  /** @throws ConnectionFailed when there was no answer */
  send(request: ApiRequest): Promise<ApiResponse>;
  close(): Promise<void>;
}

/** Nobody answered. Unless `refused`, the request may have arrived all the same. */
export class ConnectionFailed extends Error {
  /** Node's own name of the reason: ECONNREFUSED, CERT_HAS_EXPIRED. */
  readonly reason: string;
  /** There was no connection at all. */
  readonly refused: boolean;

  constructor(cause: NodeJS.ErrnoException, refused: boolean) {
    super(cause.message, { cause });
    this.reason = cause.code ?? "";
    this.refused = refused;
  }
}

/** The text of a whole answer. @throws ConnectionFailed when it breaks off */
export async function textOf({ body }: Pick<ApiResponse, "body">): Promise<string> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of body) parts.push(part);
  } catch (error) {
    throw new ConnectionFailed(error as NodeJS.ErrnoException, false);
  }
  return Buffer.concat(parts).toString("utf8");
}
