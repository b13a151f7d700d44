import type { Secrets } from "../../config/secrets.ts";
import type { Topology } from "../../cluster/topology.ts";
import { waitUntil } from "../../core/clock.ts";
import { errorMessage, HomelabError } from "../../core/errors.ts";
import { engineRequest, type EngineRequest } from "../../host/https.ts";
import { certificateFiles } from "../tls.ts";
import { RESTAPI_USER } from "./config.ts";

/** What Patroni says of its own node (GET /patroni). */
export interface PatroniMember {
  state: string;
  role: string;
  server_version?: number;
  timeline?: number;
  pending_restart?: boolean;
  database_system_identifier?: string;
  dcs_last_seen?: number;
  replication?: { application_name: string; state: string; sync_state: string }[];
  pause?: boolean;
}

const call = (topology: Topology, request: Omit<EngineRequest, "port">) =>
  engineRequest(certificateFiles(topology.paths), { port: topology.ports.patroni, ...request });

/** The login that Patroni asks for where something is changed, beside the cluster's certificate. */
const basicAuth = (secrets: Secrets): string =>
  `Basic ${Buffer.from(`${RESTAPI_USER}:${secrets.patroni_restapi.reveal()}`).toString("base64")}`;

/** A call that changes something. @throws HomelabError `engine_unreachable` unless Patroni says that it did */
async function change(
  topology: Topology,
  secrets: Secrets,
  what: string,
  request: Omit<EngineRequest, "port">,
): Promise<void> {
  const { status, text } = await call(topology, { ...request, authorization: basicAuth(secrets) });
  if (status !== 200 && status !== 202)
    throw new HomelabError("engine_unreachable", `Patroni did not ${what} (${status}): ${text}`);
}

/** The state of this node's PostgreSQL. @throws HomelabError `engine_unreachable` */
export async function patroniMember(topology: Topology): Promise<PatroniMember> {
  return JSON.parse((await call(topology, { path: "/patroni" })).text) as PatroniMember;
}

/** Whether this node is the running primary. */
export async function isPrimary(topology: Topology): Promise<boolean> {
  return (await call(topology, { path: "/primary", method: "OPTIONS" }).catch(() => undefined))?.status === 200;
}

/** The settings in the DCS. */
export async function patroniConfiguration(topology: Topology): Promise<Record<string, unknown>> {
  return JSON.parse((await call(topology, { path: "/config" })).text) as Record<string, unknown>;
}

/** Merges settings into the DCS; null removes one. */
export const patchConfiguration = (topology: Topology, secrets: Secrets, body: object): Promise<void> =>
  change(topology, secrets, "take the settings", { path: "/config", method: "PATCH", body });

/** What Patroni says while it is still at something that passes by itself, such as the promotion after a start. */
const IN_PROGRESS = /already in progress/;

/** Restarts PostgreSQL through Patroni and waits for its answer, `timeout` seconds at most. */
export async function restartPostgres(topology: Topology, secrets: Secrets, timeout: number): Promise<void> {
  const request = { path: "/restart", method: "POST", body: {}, timeout } as const;
  const attempt = () =>
    change(topology, secrets, "restart PostgreSQL", request).then(
      () => true,
      (error: unknown) => {
        if (!IN_PROGRESS.test(errorMessage(error))) throw error;
        return false;
      },
    );
  await waitUntil(attempt, { timeout: 20, every: 250, what: "Patroni is free to restart PostgreSQL" });
}

/** Makes Patroni read patroni.yml again. */
export const reloadPatroni = (topology: Topology, secrets: Secrets): Promise<void> =>
  change(topology, secrets, "reload", { path: "/reload", method: "POST" });
