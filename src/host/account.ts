import { readFileSync, statSync } from "node:fs";
import { HomelabError } from "../core/errors.ts";
import { run } from "./run.ts";

/** The system user that engines run as when root sets them up. */
export const SYSTEM_USER = "homelab";

/** A line of /etc/passwd. */
export interface Account {
  uid: number;
  gid: number;
}

export const isRoot = (): boolean => process.getuid!() === 0;

/** Looks a user up (passwd(5)). */
export function findAccount(name: string): Account | undefined {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const fields = line?.split(":");
  return fields && { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** Makes the system user if there is none: no password, no shell. Needs root. */
export async function ensureSystemUser(home: string): Promise<Account> {
  const known = findAccount(SYSTEM_USER);
  if (known) return known;
  await run({
    argv: [
      "useradd",
      "--system",
      "--user-group",
      "--no-create-home",
      "--home-dir",
      home,
      "--shell",
      "/usr/sbin/nologin",
      SYSTEM_USER,
    ],
  });
  return findAccount(SYSTEM_USER)!;
}

/**
 * Gives root's rights away for good: from here on this process is the home's owner, and whatever it writes belongs to
 * the user that the engines run as. Does nothing for anybody but root.
 */
export function becomeOwnerOf(path: string): void {
  if (!isRoot()) return;
  const { uid, gid } = statSync(path);
  if (uid === 0) {
    throw new HomelabError("not_allowed", `${path} belongs to root, and engines never run as root`, {
      hint: "Choose another --home; a new one is given to the system user homelab.",
    });
  }
  process.setgroups!([gid]);
  process.setgid!(gid);
  process.setuid!(uid);
  process.umask(0o077);
}
