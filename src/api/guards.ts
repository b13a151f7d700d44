import { isIP } from "node:net";
import type { FastifyRequest } from "fastify";
import type { Topology } from "../cluster/topology.ts";
import type { Actor } from "../accounts/roles.ts";
import { HomelabError } from "../core/errors.ts";
import type { Endpoint } from "./endpoint.ts";

const UNSAFE = new Set(["POST", "PUT", "PATCH", "DELETE"]);

export const isUnsafe = (method: string): boolean => UNSAFE.has(method);

/** Milliseconds for which a password that was given counts as given lately. */
const PROVEN_FOR = 15 * 60_000;

/** @throws HomelabError `confirmation_required` for a browser in which the password was not given lately */
export function checkProof({ proven }: Pick<Endpoint, "proven">, actor: Actor | null, now: number): void {
  if (!proven || !actor?.session || now - Date.parse(actor.session.provenAt) < PROVEN_FOR) return;
  throw new HomelabError("confirmation_required", "this needs a password that was given lately", {
    hint: "Give it again at POST /api/session/confirm, or sign in again.",
  });
}

/** Names that no public DNS can point at us: no dot, or a domain kept for private use (RFC 6762, RFC 8375, RFC 6761). */
const PRIVATE_NAME = /^[^.]+$|\.(local|home\.arpa|internal|lan|home|localhost)$/i;

/**
 * Refuses a host name that a stranger could have pointed at our address: a page of his would then speak to us as if it
 * were ours (DNS rebinding; faults S20). An address names nobody and is fine.
 * @throws HomelabError `host_refused`
 */
export function checkHost(header: string | undefined, { settings, certificateNames }: Topology): void {
  const name = hostName(header ?? "");
  const known = [settings.network.host, ...settings.hub.hosts, ...certificateNames.dns];
  if (isIP(name) !== 0 || PRIVATE_NAME.test(name) || known.some((own) => own.toLowerCase() === name)) return;
  throw new HomelabError("host_refused", "this host name is not one of ours", {
    hint: "Name it under hub.hosts in homelab.yaml, and run homelab up.",
  });
}

/**
 * Two names in one request are an error (RFC 9112, 3.2): what stands before us may have gone by the other one.
 * @throws HomelabError `request_malformed`
 */
export function checkOneHost({ raw }: FastifyRequest): void {
  if ((raw.headersDistinct["host"]?.length ?? 0) > 1)
    throw new HomelabError("request_malformed", "more than one Host header came with the request");
}

/** The name of a Host header without its port and brackets. */
function hostName(header: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d*)?$/.exec(header);
  return (bracketed?.[1] ?? header.replace(/:\d*$/, "")).toLowerCase();
}

/**
 * A change that a browser asks for must come from a page of our own: by Sec-Fetch-Site where the browser sends it, else
 * by Origin. Programs send neither (OWASP, "Cross-Site Request Forgery Prevention": fetch metadata).
 * @throws HomelabError `origin_refused`
 */
export function checkOrigin(request: FastifyRequest): void {
  if (!isUnsafe(request.method)) return;
  const site = request.headers["sec-fetch-site"];
  const { origin } = request.headers;
  const own = origin === undefined || isOwnOrigin(origin, request.host);
  if (own && (site === undefined || site === "same-origin" || site === "none")) return;
  throw new HomelabError("origin_refused", "a change was asked for by a page of another site");
}

function isOwnOrigin(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === normalHost(host);
}

/** As a browser writes it in Origin: without the scheme's own port. */
const normalHost = (host: string): string => (URL.canParse(`http://${host}`) ? new URL(`http://${host}`).host : host);

/** Names that were seen to be ours: the same few come with every request. */
const REMEMBERED_HOSTS = 50;

/** Checks each Host header once. */
export class HostCheck {
  readonly #topology: Topology;
  readonly #ours = new Set<string>();

  constructor(topology: Topology) {
    this.#topology = topology;
  }

  /** @throws HomelabError `host_refused` */
  check(header: string): void {
    if (this.#ours.has(header)) return;
    checkHost(header, this.#topology);
    if (this.#ours.size < REMEMBERED_HOSTS) this.#ours.add(header);
  }
}
