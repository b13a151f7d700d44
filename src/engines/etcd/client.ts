import type { Topology } from "../../cluster/topology.ts";
import { HomelabError } from "../../core/errors.ts";
import { engineRequest } from "../../host/https.ts";
import { certificateFiles } from "../tls.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** One call of etcd's JSON gateway (etcd manual, "gRPC gateway"). */
async function call<T>(topology: Topology, path: string, body: object): Promise<T> {
  const request = { port: topology.ports.etcd_client, path, method: "POST" as const, body };
  const { status, text } = await engineRequest(certificateFiles(topology.paths), request);
  if (status !== 200) throw new HomelabError("engine_unreachable", `etcd answered ${status}: ${text.slice(0, 200)}`);
  return JSON.parse(text) as T;
}

/** Deletes every key under a prefix; answers how many there were. The range ends at the prefix with its last byte raised. */
export async function etcdDeletePrefix(topology: Topology, prefix: string): Promise<number> {
  const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
  const range = { key: base64(prefix), range_end: base64(end) };
  return Number((await call<{ deleted?: string }>(topology, "/v3/kv/deleterange", range)).deleted ?? 0);
}

/** etcd's members by name. */
export async function etcdMembers(topology: Topology): Promise<string[]> {
  const answer = await call<{ members?: { name?: string }[] }>(topology, "/v3/cluster/member/list", {});
  return (answer.members ?? []).map((member) => member.name ?? "(not started)");
}

/** Alarms that are raised, such as NOSPACE. */
export async function etcdAlarms(topology: Topology): Promise<string[]> {
  const answer = await call<{ alarms?: { alarm?: string }[] }>(topology, "/v3/maintenance/alarm", { action: "GET" });
  return (answer.alarms ?? []).map((entry) => entry.alarm ?? "UNKNOWN");
}
