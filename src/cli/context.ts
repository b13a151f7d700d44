import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { homePaths, type HomePaths } from "../cluster/home.ts";
import { HomelabError } from "../core/errors.ts";
import { becomeOwnerOf, isRoot } from "../host/account.ts";
import { programIn } from "../host/program.ts";
import { openInstalledSite } from "../site/installation.ts";
import type { Site } from "../site/site.ts";
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
  debug?: boolean;
}

/** What a command works with. */
export interface Context {
  flags: GlobalFlags;
  paths: HomePaths;
  out: Output;
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

export function makeContext(flags: GlobalFlags): Context {
  const paths = homePaths(resolve(flags.home ?? defaultHome(process.env)));
  let opened: Promise<Site> | undefined;
  const open = async (): Promise<Site> => {
    const program = await programIn(bundleFolder());
    if (!existsSync(paths.root)) {
      throw new HomelabError("not_installed", `there is no installation under ${paths.root}`, {
        hint:
          existsSync("/var/lib/homelab") && !isRoot() ? "There is one of root's: use sudo." : "homelab up makes one.",
      });
    }
    becomeOwnerOf(paths.root);
    return openInstalledSite(paths.root, program);
  };
  return {
    flags,
    paths,
    out: processOutput,
    site: () => (opened ??= open()),
    close: async () => {
      await (await opened?.catch(() => undefined))?.close();
    },
  };
}
