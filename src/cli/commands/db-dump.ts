import { closeSync, fstatSync, openSync, read } from "node:fs";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import { formatBytes } from "../../core/units.ts";
import { isRoot } from "../../host/account.ts";
import type { Context } from "../context.ts";
import { isElsewhere } from "../context.ts";
import { exportAsOwner, exportTo, exportToOutput } from "../export.ts";
import { followBegun, operate } from "../operate.ts";
import { done } from "../output.ts";

/** A dump of one database, into a file that is there only when it is whole, or to standard output. */
export async function exportDatabase(context: Context, name: string, file: string | undefined): Promise<void> {
  if (file === undefined || file === "-") {
    if (process.stdout.isTTY)
      throw new HomelabError("usage", "a dump is nothing for a terminal", {
        hint: "Name a file, or send it on with a pipe.",
      });
    return exportToOutput(context, name);
  }
  // Root gives its rights away before it asks, and the file is root's to write.
  if (isRoot() && !isElsewhere(context.flags)) return exportAsOwner(context, name, file);
  return exportTo(context, name, file);
}

/** Brings a dump into a new database or an empty one. */
export async function importDatabase(
  context: Context,
  name: string,
  file: string | undefined,
  flags: { dump?: string; trustDump?: boolean },
): Promise<void> {
  if ((file === undefined) === (flags.dump === undefined))
    throw new HomelabError("usage", "expected a file, or --dump with the id of a dump", {
      hint: "homelab db list-backups --db NAME shows the dumps of a database.",
    });
  const end =
    file === undefined
      ? await operate(context, "database.import", { name, dump: flags.dump })
      : await upload(context, name, file, flags.trustDump === true);
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const { tables, rows } = end.result as { tables: number; rows: number };
  context.out.note(done(`${name}: ${tables} tables, about ${rows} rows`));
  context.out.note(`Its URLs: homelab db url ${name}`);
}

async function upload(context: Context, name: string, file: string, trust: boolean) {
  // Opened before root gives its rights away.
  const dump = file === "-" ? standardInput() : openDump(file);
  try {
    const api = await context.api();
    return await followBegun(context, (query, signal) =>
      api.upload(
        "POST /api/databases/{name}/import",
        { params: { name }, query: { ...query, trust_dump: trust ? "true" : "false" } },
        dump,
        signal,
      ),
    );
  } finally {
    dump.close();
  }
}

/** What is sent, and can be sent again where the hub asks for it. */
interface Dump {
  size: number | undefined;
  open(): Readable;
  close(): void;
}

function openDump(file: string): Dump {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (cause) {
    throw new HomelabError("usage", `${printable(file)} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const facts = fstatSync(fd);
  if (facts.isDirectory())
    throw new HomelabError("usage", `${printable(file)} is a folder`, {
      hint: "A dump of pg_dump's directory format cannot be sent; --format=custom makes one file.",
    });
  const isFile = facts.isFile();
  return {
    size: isFile ? facts.size : undefined,
    open: () => withProgress(Readable.from(bytesOf(fd, isFile)), facts.size),
    close: () => closeSync(fd),
  };
}

/** Bytes that are read at once. */
const PIECE = 256 * 1024;

/** From its beginning, however often it is asked; what is no file can be read only once. */
async function* bytesOf(fd: number, isFile: boolean): AsyncGenerator<Buffer> {
  for (let at = 0; ;) {
    const { bytesRead, buffer } = await promisify(read)(fd, Buffer.alloc(PIECE), 0, PIECE, isFile ? at : null);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

function standardInput(): Dump {
  let isOpened = false;
  return {
    size: undefined,
    open() {
      if (isOpened)
        throw new HomelabError("busy", "something else is at this database", {
          hint: "What came by standard input cannot be sent twice: try again.",
        });
      isOpened = true;
      return withProgress(process.stdin, undefined);
    },
    close: () => void process.stdin.destroy(),
  };
}

/** On a terminal: how much is sent. */
function withProgress(source: Readable, total: number | undefined): Readable {
  if (process.stderr.isTTY !== true) return source;
  async function* told() {
    let [sent, at] = [0, 0];
    for await (const chunk of source) {
      sent += (chunk as Buffer).length;
      if (performance.now() - at > 200) {
        at = performance.now();
        process.stderr.write(`\r\x1b[K  ▸ sending  ${formatBytes(sent)}${total ? ` of ${formatBytes(total)}` : ""}`);
      }
      yield chunk as Buffer;
    }
    process.stderr.write("\r\x1b[K");
  }
  return Readable.from(told());
}
