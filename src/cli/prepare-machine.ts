import { chown, lchown, readdir } from "node:fs/promises";
import { join } from "node:path";
import { HomelabError } from "../core/errors.ts";
import type { HomePaths } from "../cluster/home.ts";
import { waitUntil } from "../core/clock.ts";
import { ensureSystemUser, isRoot, SYSTEM_USER, type Account } from "../host/account.ts";
import { readAgent } from "../host/agent-process.ts";
import { readDesired, writeDesired } from "../host/services.ts";
import { enableUnit, systemdRuns } from "../host/systemd.ts";
import { installPackages } from "../host/debian.ts";
import { ensureFolder, exists } from "../host/files.ts";
import { installProgram, programIn, removeOldBuilds, type Program } from "../host/program.ts";
import { run } from "../host/run.ts";
import { becomeOwner, bundleFolder, type Context } from "./context.ts";
import { paint } from "./output.ts";

/**
 * What must be there before the first operation: packages, the engines' user, the home, and the program in it. The only
 * part that needs root; at its end root's rights are given away. Answers the program that the agent runs from.
 */
export async function prepareMachine(context: Context, missing: string[]): Promise<Program> {
  const { paths } = context;
  if (missing.length > 0) await install(context, missing);
  const account = isRoot() ? await ensureSystemUser(paths.root) : undefined;
  const fresh = !(await exists(paths.root));
  if (fresh) await makeHome(paths.root, account);
  if (!(await exists(paths.state))) await giveFolder(paths.state, 0o700, account);
  const program = await installProgram(await programIn(bundleFolder()), paths.app);
  const running = await readAgent(paths).catch(() => undefined);
  await removeOldBuilds(paths.app, [program.build, running?.state.build ?? program.build]);
  if (account) await own(paths.app, account, program.folder);
  if (account && systemdRuns()) await startAtBoot(paths, account, program);
  await becomeOwner(paths.root);
  return program;
}

/** Hands the agent to systemd. What a `down` left is lifted first: the agent would obey it, and end. */
async function startAtBoot(paths: HomePaths, account: Account, program: Program): Promise<void> {
  const desired = await readDesired(paths);
  if (desired && !desired.up) {
    await writeDesired(paths, { ...desired, up: true });
    await chown(paths.services, account.uid, account.gid);
  }
  await enableUnit(paths.root, SYSTEM_USER, program);
  const isUp = async () => {
    const agent = await readAgent(paths).catch(() => undefined);
    return agent?.alive === true && agent.state.build === program.build;
  };
  await waitUntil(isUp, { timeout: 20, what: "systemd runs the agent" });
}

async function makeHome(root: string, account: Account | undefined): Promise<void> {
  try {
    await giveFolder(root, 0o711, account);
  } catch (cause) {
    throw new HomelabError("not_allowed", `${root} cannot be made: ${(cause as Error).message}`, {
      hint: "Choose another --home, or use sudo.",
      cause,
    });
  }
}

async function giveFolder(path: string, mode: number, account: Account | undefined): Promise<void> {
  await ensureFolder(path, mode);
  if (account) await chown(path, account.uid, account.gid);
}

/** The program's files belong to the home's owner; Node itself may be a link to another's file and stays as it is. */
async function own(appFolder: string, { uid, gid }: Account, folder: string): Promise<void> {
  for (const path of [appFolder, folder]) await chown(path, uid, gid);
  for (const name of await readdir(folder)) if (name !== "node") await lchown(join(folder, name), uid, gid);
}

async function install(context: Context, missing: string[]): Promise<void> {
  const say = (says: string) => context.flags.json || context.out.note(paint("dim", `  ${says}`, process.stderr));
  if (isRoot()) return installPackages(missing, say);
  // As a user with sudo: only this part runs as root, in a process of its own.
  const argv: [string, ...string[]] = [
    "sudo",
    process.execPath,
    join(bundleFolder(), "main.js"),
    "install-packages",
    ...missing,
  ];
  try {
    await run({ argv, inherit: true, env: process.env as Record<string, string> });
  } catch (cause) {
    throw new HomelabError("packages_missing", "the packages could not be installed with sudo", {
      hint: `As root: apt-get install ${missing.join(" ")}`,
      cause,
    });
  }
}
