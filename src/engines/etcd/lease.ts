import { Agent } from "node:https";
import type { Topology } from "../../cluster/topology.ts";
import { HomelabError } from "../../core/errors.ts";
import { engineRequest, type EngineResponse, type TlsFiles } from "../../host/https.ts";
import { certificateFiles } from "../tls.ts";

/** Where etcd is asked: the members' addresses, the nearest first. */
export interface EtcdAccess {
  tls: TlsFiles;
  hosts: string[];
  port: number;
}

/** A key that lives as long as somebody renews its lease. */
export interface LeasedKey {
  value: string;
  /** The revision of the whole store at which the key was made: it only grows, so it tells an older holder from a newer. */
  revision: number;
}

/** Seconds that one member is waited for. A lease is renewed several times within its length, so this must be short. */
const PATIENCE = 1;

interface KeyValue {
  value?: string;
  create_revision: string;
}

interface TxnAnswer {
  header: { revision: string };
  succeeded?: boolean;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const text = (value: string | undefined): string => Buffer.from(value ?? "", "base64").toString();

/** Leases and the keys that hang on them, over etcd's JSON gateway (etcd manual, "gRPC gateway"; API reference, "Lease"). */
export class EtcdLeases {
  readonly #access: EtcdAccess;
  /** The members, the one that answered last at the front. */
  #hosts: string[];
  // A leader renews every second or two for as long as the platform lives: a TLS handshake each time would show.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });

  constructor(access: EtcdAccess) {
    this.#access = access;
    this.#hosts = access.hosts;
  }

  /** Makes a lease that ends after `ttl` seconds unless it is renewed. Answers its id. */
  async grant(ttl: number): Promise<string> {
    return (await this.#call<{ ID: string }>("/v3/lease/grant", { TTL: ttl, ID: 0 })).ID;
  }

  /** Renews a lease for its full length; answers false when it has ended already. */
  async keepAlive(lease: string): Promise<boolean> {
    const { result } = await this.#call<{ result?: { TTL?: string } }>("/v3/lease/keepalive", { ID: lease });
    return Number(result?.TTL ?? 0) > 0;
  }

  /** Ends a lease, and with it every key that hangs on it. */
  async revoke(lease: string): Promise<void> {
    await this.#call("/v3/lease/revoke", { ID: lease });
  }

  /** A key as the majority of etcd's members has it now. */
  async read(key: string): Promise<LeasedKey | undefined> {
    const { kvs } = await this.#call<{ kvs?: KeyValue[] }>("/v3/kv/range", { key: base64(key) });
    return kvs?.[0] && { value: text(kvs[0].value), revision: Number(kvs[0].create_revision) };
  }

  /** Makes a key unless it is there; answers the revision at which it was made, or undefined. */
  async create(name: string, value: string, lease: string): Promise<number | undefined> {
    const key = base64(name);
    const answer = await this.#call<TxnAnswer>("/v3/kv/txn", {
      compare: [{ key, target: "CREATE", result: "EQUAL", create_revision: "0" }],
      success: [{ request_put: { key, value: base64(value), lease } }],
    });
    return answer.succeeded ? Number(answer.header.revision) : undefined;
  }

  /** Writes a key that stays until it is deleted. */
  async write(name: string, value: string): Promise<void> {
    await this.#call("/v3/kv/put", { key: base64(name), value: base64(value) });
  }

  /** Deletes a key, if it is still the one that was made at this revision. */
  async remove(name: string, revision: number): Promise<void> {
    const key = base64(name);
    await this.#call("/v3/kv/txn", {
      compare: [{ key, target: "CREATE", result: "EQUAL", create_revision: String(revision) }],
      success: [{ request_delete_range: { key } }],
    });
  }

  /** Gives the connections back. */
  close(): void {
    this.#agent.destroy();
  }

  /** Asks one member after the other until one answers. @throws HomelabError `engine_unreachable` */
  async #call<T>(path: string, body: object): Promise<T> {
    const { tls, port } = this.#access;
    let last: unknown;
    for (const host of this.#hosts) {
      try {
        const call = { host, port, path, body, method: "POST" as const, timeout: PATIENCE, agent: this.#agent };
        const answer = answerOf<T>(await engineRequest(tls, call));
        this.#hosts = [host, ...this.#hosts.filter((other) => other !== host)];
        return answer;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}

/** The cluster's etcd, this node's own member first. */
export function clusterLeases({ node, nodes, ports, paths }: Topology): EtcdLeases {
  const others = nodes.map(({ address }) => address).filter((address) => address !== node.address);
  return new EtcdLeases({
    tls: certificateFiles(paths),
    hosts: [node.address, ...others],
    port: ports.etcd_client,
  });
}

/** etcd answers a stream, even one of a single message, with an error inside of a 200. */
function answerOf<T>({ status, text: body }: EngineResponse): T {
  const answer = status === 200 ? (JSON.parse(body) as T & { error?: unknown }) : undefined;
  if (answer && answer.error === undefined) return answer;
  throw new HomelabError("engine_unreachable", `etcd answered ${status}: ${body.slice(0, 200)}`);
}
