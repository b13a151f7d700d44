import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { text as readAll } from "node:stream/consumers";
import { HomelabError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";

/**
 * A password, from where nobody else sees it: a file, a prompt that shows nothing, or in a pipe standard input. Never
 * an argument: those are in every list of processes.
 */
export async function askPassword(what: string, file: string | undefined): Promise<Secret> {
  const password = file !== undefined ? await readFile(file, "utf8") : await fromInput(what);
  const line = password.replace(/\r?\n$/, "");
  if (line === "") throw new HomelabError("usage", "the password is empty", { hint: HINT });
  return new Secret(line);
}

const HINT = "It is asked for on a terminal; else give --password-file, or write it to standard input.";

async function fromInput(what: string): Promise<string> {
  if (!process.stdin.isTTY) return readAll(process.stdin);
  const first = await promptSilently(`Password of ${what}: `);
  if ((await promptSilently("Once more: ")) === first) return first;
  throw new HomelabError("usage", "the two passwords are not the same; nothing was done");
}

/** What is typed is edited as usual and shown nowhere. */
export async function promptSilently(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, written) => written() });
  const prompt = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  const interrupted = new AbortController();
  prompt.once("SIGINT", () => interrupted.abort());
  try {
    return await prompt.question("", { signal: interrupted.signal });
  } catch (cause) {
    if (!interrupted.signal.aborted) throw cause;
    throw new HomelabError("cancelled", "nothing was done", { cause });
  } finally {
    prompt.close();
    process.stderr.write("\n");
  }
}
