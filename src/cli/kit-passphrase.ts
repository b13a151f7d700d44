import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { HomelabError } from "../core/errors.ts";
import { generatePassword } from "../core/password.ts";
import { Secret } from "../core/secret.ts";
import { promptSilently } from "./ask-password.ts";

/** Where a passphrase comes from, as the user said. */
export interface PassphraseFlags {
  passphraseFile?: string;
}

/** A passphrase that nobody can guess, in groups that can be read out: 186 bits. */
export const makePassphrase = (): Secret => new Secret(generatePassword(32).match(/.{4}/g)!.join("-"));

/** The passphrase of a file, or with `-` of standard input. @throws HomelabError `usage` when there is none */
export async function givenPassphrase(file: string): Promise<Secret> {
  const text = file === "-" ? await readAll(process.stdin) : await readFile(file, "utf8").catch(unreadable);
  const line = text.replace(/\r?\n$/, "");
  if (line !== "") return new Secret(line);
  throw new HomelabError("usage", "the passphrase is empty", { hint: "The file's first line is the passphrase." });
}

const unreadable = (cause: Error): never => {
  throw new HomelabError("usage", `--passphrase-file: ${cause.message}`, { cause });
};

/** The passphrase that opens a kit: of a file, or typed on a terminal. Never an argument: those are in every list of processes. */
export async function askPassphrase({ passphraseFile }: PassphraseFlags): Promise<Secret> {
  if (passphraseFile !== undefined) return givenPassphrase(passphraseFile);
  if (process.stdin.isTTY) return new Secret(await promptSilently("Passphrase of the recovery kit: "));
  throw new HomelabError("usage", "the kit's passphrase is missing", {
    hint: "It is asked for on a terminal; else --passphrase-file FILE, or --passphrase-file - for standard input.",
  });
}
