import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { request, type Agent } from "node:https";
import { HomelabError, errorMessage } from "../core/errors.ts";

/** Where the cluster's certificates are; every node's own is server and client at once. */
export interface TlsFiles {
  ca: string;
  cert: string;
  key: string;
}

/** One request to an engine inside the cluster, over mutual TLS. */
export interface EngineRequest {
  host?: string;
  port: number;
  path: string;
  method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE" | "OPTIONS";
  body?: unknown;
  /** A body that is JSON text already. */
  text?: string;
  /** The Authorization header. */
  authorization?: string;
  headers?: Record<string, string>;
  /** Seconds; 5 by default. */
  timeout?: number;
  /** Keeps the connection for the next call; without it, each has its own. */
  agent?: Agent;
}

export interface EngineResponse {
  status: number;
  text: string;
  headers: IncomingHttpHeaders;
}

/** @throws HomelabError `engine_unreachable` when there is no answer at all. */
export async function engineRequest(tls: TlsFiles, call: EngineRequest): Promise<EngineResponse> {
  const body = call.body === undefined ? call.text : JSON.stringify(call.body);
  try {
    return await new Promise((resolve, reject) => {
      const { ca, cert, key } = { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
      const headers: Record<string, string | number> = {
        ...(body === undefined
          ? {}
          : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
        ...(call.authorization ? { authorization: call.authorization } : {}),
        ...call.headers,
      };
      const { host = "127.0.0.1", port, path, method = "GET", agent = false } = call;
      const timeout = (call.timeout ?? 5) * 1000;
      const sent = request({ host, port, path, method, ca, cert, key, headers, timeout, agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response
          .on("end", () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }))
          .on("error", reject);
      });
      sent.on("timeout", () => sent.destroy(new Error(`no answer within ${timeout / 1000} s`))).on("error", reject);
      sent.end(body);
    });
  } catch (cause) {
    throw new HomelabError("engine_unreachable", `port ${call.port} does not answer: ${errorMessage(cause)}`, {
      cause,
    });
  }
}
