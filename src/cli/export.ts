import { createWriteStream, existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { HomelabError, type ErrorCode } from "../core/errors.ts";
import { printable } from "../core/text.ts";
import { formatBytes, formatSeconds } from "../core/units.ts";
import { BrokenArchive, checkedArchive } from "../engines/postgres/archive-format.ts";
import { pipe } from "../host/run.ts";
import type { Context } from "./context.ts";
import { done } from "./output.ts";

/** Exports to standard output. What breaks off is told by the exit code. */
export async function exportToOutput(context: Context, name: string): Promise<void> {
  const progress = new ExportProgress();
  try {
    for await (const chunk of progress.of(whole(await ask(context, name))))
      if (!process.stdout.write(chunk)) await new Promise((go) => process.stdout.once("drain", go));
  } finally {
    progress.end();
  }
}

/** Exports to a file, which is there only when it is whole. */
export async function exportTo(context: Context, name: string, file: string): Promise<void> {
  refuseExisting(context, file);
  await writeFile(context, name, file, async (signal) => whole(await ask(context, name, signal)));
}

/**
 * The same for root, who gives its rights away before it asks: another process asks, as the home's owner, and root's own
 * writes the file.
 */
export async function exportAsOwner(context: Context, name: string, file: string): Promise<void> {
  refuseExisting(context, file);
  await writeFile(context, name, file, async (signal) => {
    const flags = [...(context.flags.local ? ["--local"] : []), "--home", context.paths.root];
    const argv = [process.execPath, ...process.execArgv, process.argv[1]!, ...flags, "db", "export", "--", name, "-"];
    const env = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== undefined));
    const asking = pipe({ argv: argv as [string, ...string[]], env: env as Record<string, string>, signal });
    asking.stdin.end();
    return whole(endedWell(asking));
  });
}

async function* endedWell({ stdout, ended }: ReturnType<typeof pipe>): AsyncGenerator<Uint8Array> {
  for await (const chunk of stdout) yield chunk as Buffer;
  const { exitCode, stderr } = await ended;
  if (exitCode !== 0) throw new AlreadyTold(exitCode ?? 1, stderr);
}

/** The other process has said what is wrong; its words and its exit code are ours. */
class AlreadyTold extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, stderr: string) {
    super(stderr.trim());
    this.exitCode = exitCode;
  }
}

async function ask(context: Context, name: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const path = `/api/databases/${encodeURIComponent(name)}/export`;
  const headers = { accept: "application/octet-stream" };
  if (name === "") throw new HomelabError("usage", "the name is empty");
  return (await (await context.api()).request({ method: "GET", path, headers, signal })).body;
}

/** A dump that was cut off is told from a whole one by its own table of contents, whatever the wire says. */
async function* whole(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* checkedArchive(source);
  } catch (cause) {
    if (cause instanceof HomelabError || cause instanceof AlreadyTold) throw cause;
    const why = cause instanceof BrokenArchive ? cause.message : (cause as Error).message;
    throw new HomelabError("failed", `the export broke off: ${why}`, {
      hint: "Nothing of it is kept. Try again.",
      cause,
    });
  }
}

function refuseExisting({ flags }: Context, file: string): void {
  if (flags.yes || !existsSync(file)) return;
  throw new HomelabError("usage", `${printable(file)} exists`, { hint: "Name another file, or say --yes." });
}

type Source = (signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;

async function writeFile(context: Context, name: string, file: string, open: Source): Promise<void> {
  const path = resolve(file);
  const partial = `${path}.partial`;
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, leave);
  const progress = new ExportProgress();
  try {
    const source = Readable.from(progress.of(await open(leaving.signal)));
    await pipeline(source, createWriteStream(partial, { mode: 0o600, flush: true }), { signal: leaving.signal });
    await rename(partial, path);
    context.out.note(done(`${printable(name)}: ${progress.summary()} in ${printable(file)}`));
  } catch (error) {
    await rm(partial, { force: true });
    if (leaving.signal.aborted) throw new HomelabError("cancelled", "the export was broken off; nothing of it is kept");
    if (!(error instanceof AlreadyTold)) throw unwritable(error, file);
    if (error.message) context.out.note(error.message);
    process.exitCode = error.exitCode;
  } finally {
    progress.end();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, leave);
  }
}

const WRITING: Record<string, ErrorCode> = {
  ENOSPC: "disk_short",
  EACCES: "not_allowed",
  ENOENT: "usage",
  EISDIR: "usage",
};

function unwritable(error: unknown, file: string): unknown {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const ours = error instanceof HomelabError ? undefined : WRITING[code];
  return ours ? new HomelabError(ours, `${printable(file)} cannot be written: ${message}`, { cause: error }) : error;
}

/** Milliseconds between two lines where there is no terminal. */
const TELL_EVERY = 5000;

/** How much came, on standard error. */
class ExportProgress {
  readonly #begun = performance.now();
  readonly #live = process.stderr.isTTY === true;
  #bytes = 0;
  #told = this.#begun;

  async *of(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#bytes += chunk.length;
      this.#tell();
      yield chunk;
    }
  }

  summary(): string {
    return `${formatBytes(this.#bytes)}, ${formatSeconds((performance.now() - this.#begun) / 1000)}`;
  }

  end(): void {
    if (this.#live) process.stderr.write("\r\x1b[K");
  }

  #tell(): void {
    const now = performance.now();
    if (now - this.#told < (this.#live ? 200 : TELL_EVERY)) return;
    this.#told = now;
    process.stderr.write(this.#live ? `\r\x1b[K  ▸ ${formatBytes(this.#bytes)}` : `  ${formatBytes(this.#bytes)}\n`);
  }
}
