import { readFile } from "node:fs/promises";
import { waitUntil } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { Topology } from "../cluster/topology.ts";
import type { Api } from "./api/client.ts";
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

/** Where the hub is, and how its first admin is made. */
export interface Dashboard {
  url: string;
  /** For the first admin: once, within a day. */
  link: string | null;
  /** There is none yet, and no link was made now: one that was given out before still works. */
  needsAdmin: boolean;
  /** Made now, from the file. */
  madeAdmin: boolean;
}

/** Looks whether there is an admin; makes the one of the file, or for a new installation a setup link. */
export async function openDashboard(
  context: Context,
  { settings, ports }: Topology,
  { fresh, password }: { fresh: boolean; password: Secret | undefined },
): Promise<Dashboard> {
  const answer = {
    url: `http://${settings.network.host}:${ports.hub}`,
    link: null,
    needsAdmin: false,
    madeAdmin: false,
  };
  const api = await context.api();
  if (!(await needsAdmin(api))) return answer;
  if (password) {
    await api.call("POST /api/setup", { body: { user_name: "admin", password: password.reveal() } });
    return { ...answer, madeAdmin: true };
  }
  if (!fresh) return { ...answer, needsAdmin: true };
  const { path } = await api.call("POST /api/setup/link", {});
  return { ...answer, link: `${answer.url}${path}` };
}

/** Whether there is nobody yet, once the hub knows. What it does not know soon is no reason for `up` to fail. */
async function needsAdmin(api: Api): Promise<boolean> {
  const known = async () => {
    const { needed } = await api.call("GET /api/setup", {});
    return needed === null ? undefined : { needed };
  };
  try {
    return (await waitUntil(known, { timeout: 15, every: 100, what: "the hub knows its users" })).needed;
  } catch (error) {
    if (error instanceof HomelabError && error.code === "deadline_passed") return true;
    throw error;
  }
}
