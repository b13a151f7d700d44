import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { homePaths, type HomePaths } from "../cluster/home.ts";
import { HomelabError } from "../core/errors.ts";
import { becomeOwnerOf, isRoot } from "../host/account.ts";
import type { Program } from "../host/program.ts";
import type { Site } from "../site/site.ts";
import { Api } from "./api/client.ts";
import { callerName } from "./caller.ts";
import { processOutput, type Output } from "./output.ts";

/** The flags that every command takes. */
export interface GlobalFlags {
  home?: string;
  config?: string;
  env?: string;
  json?: boolean;
  yes?: boolean;
  confirm?: string;
  dryRun?: boolean;
  wait?: boolean;
  timeout?: string;
  local?: boolean;
  debug?: boolean;
}

/** What a command works with. */
export interface Context {
  flags: GlobalFlags;
  paths: HomePaths;
  out: Output;
  /** The API: of the hub that HOMELAB_URL names, of the node's own, or of this process. */
  api(): Promise<Api>;
  /** Opens the installation; from here on this process is its owner, also when root called. */
  site(): Promise<Site>;
  close(): Promise<void>;
}

/** Root's installation is the machine's; everybody else's is their own (XDG base directory specification). */
function defaultHome(env: NodeJS.ProcessEnv): string {
  if (env["HOMELAB_HOME"]) return env["HOMELAB_HOME"];
  return isRoot() ? "/var/lib/homelab" : join(env["XDG_STATE_HOME"] || join(homedir(), ".local", "state"), "homelab");
}

/** The folder of the bundles that this command runs from. */
export const bundleFolder = (): string => dirname(fileURLToPath(import.meta.url));

/** Whether commands go to a hub elsewhere. */
export const isElsewhere = (flags: GlobalFlags): boolean => Boolean(process.env["HOMELAB_URL"]) && flags.local !== true;

export function makeContext(flags: GlobalFlags): Context {
  const paths = homePaths(resolve(flags.home ?? defaultHome(process.env)));
  let site: Promise<Site> | undefined;
  let api: Promise<Api> | undefined;
  return {
    flags,
    paths,
    out: processOutput,
    api: () => (api ??= openApi(flags, paths)),
    site: () => (site ??= openSite(paths)),
    close: async () => {
      await (await api?.catch(() => undefined))?.close();
      await (await site?.catch(() => undefined))?.close();
    },
  };
}

/** From here on this process is the home's owner. @throws HomelabError `not_installed` */
async function enterHome({ root }: HomePaths): Promise<void> {
  if (!existsSync(root)) {
    throw new HomelabError("not_installed", `there is no installation under ${root}`, {
      hint: existsSync("/var/lib/homelab") && !isRoot() ? "There is one of root's: use sudo." : "homelab up makes one.",
    });
  }
  await becomeOwner(root);
}

/** Becomes a home's owner, for good: what is still needed of the program then is brought before. */
export async function becomeOwner(root: string): Promise<void> {
  if (isRoot()) {
    const [{ isClosedToOthers, keepModulesInMemory }] = await Promise.all([
      import("./modules-in-memory.ts"),
      theProgram(),
    ]);
    if (isClosedToOthers(bundleFolder())) keepModulesInMemory(bundleFolder());
  }
  becomeOwnerOf(root);
}

let program: Promise<Program> | undefined;

/** What this command runs from; read once, while it can be. */
const theProgram = (): Promise<Program> =>
  (program ??= import("../host/program.ts").then(({ programIn }) => programIn(bundleFolder())));

async function openSite(paths: HomePaths): Promise<Site> {
  const [{ openInstalledSite }, own] = await Promise.all([import("../site/installation.ts"), theProgram()]);
  await enterHome(paths);
  return openInstalledSite(paths.root, own);
}

async function openApi(flags: GlobalFlags, paths: HomePaths): Promise<Api> {
  if (isElsewhere(flags)) {
    const { remoteOf, RemoteTransport } = await import("./api/remote.ts");
    return new Api(new RemoteTransport(remoteOf(process.env)!));
  }
  const { NodeTransport } = await import("./api/node.ts");
  await enterHome(paths);
  const open = async () => (await import("./api/here.ts")).openHere(paths.root, await theProgram());
  const note = (text: string) => processOutput.note(text);
  return new Api(new NodeTransport({ paths, caller: callerName, local: flags.local === true, open, note }));
}
