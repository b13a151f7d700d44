import { readFile } from "node:fs/promises";
import { waitUntil } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { Topology } from "../cluster/topology.ts";
import type { Context } from "./context.ts";

/** The variable that names the file with the first admin's password, for set-ups without a person. */
const PASSWORD_FILE = "HOMELAB_ADMIN_PASSWORD_FILE";

/**
 * The first admin's password, where a file was named. It is read before root's rights are given away.
 * @throws HomelabError `configuration_invalid` for a file that cannot be read, or is empty
 */
export async function readAdminPassword(env: NodeJS.ProcessEnv): Promise<Secret | undefined> {
  const path = env[PASSWORD_FILE];
  if (!path) return undefined;
  const text = (await readFile(path, "utf8").catch(() => "")).replace(/\r?\n$/, "");
  if (text) return new Secret(text);
  throw new HomelabError("configuration_invalid", `${PASSWORD_FILE}: there is no password in ${path}`, {
    hint: "The file's first line is the password of the user admin.",
  });
}

/** Where the dashboard is; with `link`, where its first admin is made, once and within a day. */
export interface Dashboard {
  url: string;
  link: string | null;
  /** Made now, from the file. */
  madeAdmin: boolean;
}

/** Looks whether there is an admin; makes the one of the file, or a setup link. */
export async function openDashboard(
  context: Context,
  { settings, ports }: Topology,
  password: Secret | undefined,
): Promise<Dashboard> {
  const url = `http://${settings.network.host}:${ports.hub}`;
  const api = await context.api();
  const known = async () => {
    const { needed } = await api.call("GET /api/setup", {});
    return needed === null ? undefined : { needed };
  };
  const { needed } = await waitUntil(known, { timeout: 15, every: 100, what: "the hub knows its users" });
  if (!needed) return { url, link: null, madeAdmin: false };
  if (password) {
    await api.call("POST /api/setup", { body: { user_name: "admin", password: password.reveal() } });
    return { url, link: null, madeAdmin: true };
  }
  const { path } = await api.call("POST /api/setup/link", {});
  return { url, link: `${url}${path}`, madeAdmin: false };
}
