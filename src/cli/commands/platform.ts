import { open, readFile, rm } from "node:fs/promises";
import { HomelabError } from "../../core/errors.ts";
import { exists } from "../../host/files.ts";
import { machineFacts } from "../../host/machine.ts";
import { testKit } from "../../reports/kit-test.ts";
import { storageFromKit, withKitRepositories } from "../../site/kit-repositories.ts";
import { noteTest } from "../../site/kit-state.ts";
import { openKit, type RecoveryKit } from "../../site/recovery-kit.ts";
import { becomeOwner, type Context } from "../context.ts";
import { askPassphrase, givenPassphrase, makePassphrase, type PassphraseFlags } from "../kit-passphrase.ts";
import { done, mark, paint } from "../output.ts";
import { stateExit } from "./status.ts";

/** What `platform kit` takes beside the global flags. */
export interface KitFlags extends PassphraseFlags {
  output?: string;
  test?: string;
  repositoryPath?: string;
}

/** Writes a recovery kit, or tries one. */
export async function kit(context: Context, flags: KitFlags): Promise<void> {
  if (flags.test !== undefined) return test(context, flags.test, flags);
  const path = flags.output ?? `homelab-kit-${new Date().toISOString().slice(0, 10)}.age`;
  if (context.flags.dryRun) return context.out.note(`would write a recovery kit to ${path}`);
  const passphrase =
    flags.passphraseFile === undefined ? makePassphrase() : await givenPassphrase(flags.passphraseFile);
  // Before this process becomes the home's owner, who may write nothing in the caller's folder.
  const file = await openNew(path);
  try {
    const body = JSON.stringify({ passphrase: passphrase.reveal() });
    await file.writeFile(await (await context.api()).text({ method: "POST", path: "/api/platform/kit", body }));
    await file.sync();
  } catch (error) {
    await rm(path, { force: true }).catch(() => {});
    throw error;
  } finally {
    await file.close();
  }
  tell(context, path, flags.passphraseFile === undefined ? passphrase.reveal() : null);
}

async function openNew(path: string) {
  return open(path, "wx", 0o600).catch((cause: NodeJS.ErrnoException) => {
    const reason = cause.code === "EEXIST" ? "is there already, and nothing is overwritten" : cause.message;
    throw new HomelabError("usage", `${path} ${reason}`, { hint: "--output names another file.", cause });
  });
}

function tell({ out, flags }: Context, file: string, passphrase: string | null): void {
  if (flags.json) return out.json({ file, ...(passphrase === null ? {} : { passphrase }) });
  out.line(`kit         ${file}`);
  if (passphrase !== null) out.line(`passphrase  ${passphrase}`);
  out.note(done("a recovery kit was made: keep it away from this machine, and its passphrase away from it"));
  if (passphrase !== null) out.note("The passphrase is shown this once, and stored nowhere.");
  out.note(`Try it: homelab platform kit --test ${file}   On a new machine: homelab up --recover ${file}`);
}

/** Proves that a kit opens, and that it opens the backups: by what it says alone, so this works on any machine. */
async function test(context: Context, path: string, flags: KitFlags): Promise<void> {
  const { out, paths } = context;
  const tried = await readKit(path, flags);
  if (await exists(paths.root)) await becomeOwner(paths.root);
  const machine = await machineFacts(tried.cluster.major);
  const storage = await storageFromKit(tried, { repositoryPath: flags.repositoryPath, root: paths.root });
  const repositories = await withKitRepositories(tried, { machine, storage }, testKit);
  const ok = repositories.every((each) => each.ok);
  if (ok) await noteTest(paths, tried, Date.now());
  else process.exitCode = stateExit.degraded;
  if (context.flags.json) return out.json({ made_at: tried.made_at, cluster: tried.settings.name, ok, repositories });
  out.line(`kit of ${tried.settings.name}, made ${tried.made_at} by homelab ${tried.version}`);
  for (const each of repositories) {
    const state = each.ok ? "ok" : "down";
    const reaches = each.reaches ? `, up to ${each.reaches}` : "";
    out.line(`${paint(each.ok ? "green" : "red", mark[state])} ${each.repository}: ${each.says}${reaches}`);
  }
}

/** Reads a kit's file and opens it. @throws HomelabError `usage`, `kit_unreadable`, `passphrase_wrong` */
export async function readKit(path: string, flags: PassphraseFlags): Promise<RecoveryKit> {
  const file = await readFile(path).catch((cause: Error) => {
    throw new HomelabError("usage", `the kit cannot be read: ${cause.message}`, { cause });
  });
  return openKit(file, await askPassphrase(flags));
}

/** A kit is opened where the new home will be, before there is one. */
export async function restore(): Promise<void> {
  throw new HomelabError("usage", "a lost installation is had back by up, on a machine that has none", {
    hint: "homelab up --recover KIT",
  });
}
