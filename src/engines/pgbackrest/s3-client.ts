import { request } from "node:https";
import { getCACertificates } from "node:tls";
import { S3mini } from "s3mini";
import type { S3Repository } from "../../config/storage.ts";

/** Milliseconds until a request without an answer is given up. */
const PATIENCE = 15_000;

/** How a place of S3 is reached, before it is a repository. */
export type S3Place = Pick<
  S3Repository,
  "type" | "name" | "endpoint" | "port" | "bucket" | "path" | "region" | "uri_style" | "key" | "key_secret" | "ca"
>;

/** Whom pgBackRest believes: the CA that was given, and it alone; else those of the system. */
function authoritiesOf(ca: string | null): string[] | undefined {
  if (ca) return [ca];
  const system = getCACertificates("system");
  return system.length > 0 ? system : undefined;
}

type Sent = Parameters<typeof fetch>[1];

/** The part of fetch that s3mini needs, with a CA of one's own: the global fetch takes none. */
function fetchBelieving(ca: string[] | undefined): typeof fetch {
  return (input, init: Sent = {}) =>
    new Promise((resolve, reject) => {
      const options = {
        method: init.method,
        headers: init.headers as Record<string, string>,
        ca,
        agent: false as const,
        timeout: PATIENCE,
      };
      const sent = request(input as string, options, (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
        answer.on("end", () => {
          const status = answer.statusCode!;
          const isBare = status === 204 || status === 304 || init.method === "HEAD";
          const headers = new Headers(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
          resolve(new Response(isBare ? null : Buffer.concat(chunks), { status, headers }));
        });
      });
      sent.on("timeout", () => sent.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })));
      sent.on("error", reject);
      // s3mini sends texts alone here.
      sent.end(init.body as string | undefined);
    });
}

/** A client of a place, as pgBackRest would reach it: https alone, the bucket in the path or in the host's name. */
export function s3Client(place: S3Place): S3mini {
  const { endpoint, port, bucket } = place;
  const url =
    place.uri_style === "path" ? `https://${endpoint}:${port}/${bucket}` : `https://${bucket}.${endpoint}:${port}`;
  return new S3mini({
    accessKeyId: place.key,
    secretAccessKey: place.key_secret.reveal(),
    endpoint: url,
    region: place.region,
    fetch: fetchBelieving(authoritiesOf(place.ca)),
  });
}
