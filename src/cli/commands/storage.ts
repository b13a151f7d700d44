import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import { formatBytes } from "../../core/units.ts";
import type { Body, CallInput, OperationBody } from "../api/contract.ts";
import { askKeys } from "../ask-keys.ts";
import { confirmName } from "../confirm.ts";
import type { Context } from "../context.ts";
import { lookAt } from "../look.ts";
import { followBegun, operate } from "../operate.ts";
import { done, mark, noteStale, paint, table } from "../output.ts";
import { dryRun, isPlan, showPlan } from "../show-plan.ts";

type Repository = Body<"GET /api/storage">["items"][number];
type Wish = CallInput<"POST /api/storage">["body"];

/** Every repository, as it is found now. */
export async function list(context: Context): Promise<void> {
  const page = await lookAt(context, "GET /api/storage");
  if (context.flags.json) return context.out.json(page);
  const rows = page.items.map((each) => [
    each.name,
    each.type,
    each.place,
    each.encrypted ? "yes" : "no",
    String(each.backups),
    formatBytes(each.stored_bytes),
    each.free_bytes === null ? "-" : formatBytes(each.free_bytes),
    each.last_archived_at ?? "-",
    each.trouble ? paint("red", `${mark.down} ${each.trouble}`) : mark.ok,
  ]);
  const headings = ["NAME", "TYPE", "PLACE", "ENCRYPTED", "BACKUPS", "BACKUP SIZE", "FREE", "LAST WAL", "STATE"];
  table(context.out, headings, rows);
  for (const { name, hint } of page.items) if (hint) context.out.note(`${name}: ${printable(hint)}`);
  noteStale(context.out, page);
}

export async function addDisk(context: Context, name: string, flags: { path: string }): Promise<void> {
  await add(context, { type: "disk", name, path: resolve(flags.path) });
}

interface S3Flags {
  endpoint: string;
  bucket: string;
  port?: number;
  path?: string;
  region?: string;
  uriStyle?: string;
  caFile?: string;
  keysFile?: string;
}

export async function addS3(context: Context, name: string, flags: S3Flags): Promise<void> {
  const { endpoint, bucket, port, path, region } = flags;
  const { key, secret } = await askKeys(flags.keysFile, process.env);
  const ca = flags.caFile === undefined ? undefined : await readFile(flags.caFile, "utf8");
  const place = { endpoint, bucket, port, path, region, uri_style: styleOf(flags.uriStyle), ca };
  await add(context, { type: "s3", name, ...place, key, key_secret: secret.reveal() });
}

function styleOf(text: string | undefined): Wish["uri_style"] {
  if (text === undefined || text === "path" || text === "host") return text;
  throw new HomelabError("usage", `--uri-style ${text}: expected path or host`);
}

async function add(context: Context, body: Wish): Promise<void> {
  const api = await context.api();
  const end = await followBegun(context, (query, signal) => api.call("POST /api/storage", { query, body }, signal));
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  sayAdded(context, end);
}

function sayAdded({ out }: Context, { result }: OperationBody): void {
  const { repository, place, encrypted, versioning } = result as Record<string, string | boolean | null>;
  out.note(done(`${String(repository)} keeps WAL from now on: ${String(place)}${encrypted ? ", encrypted" : ""}`));
  if (versioning === "off")
    out.note(`${mark.degraded} Versioning of the bucket is off: whoever gets hold of the key can delete its backups.`);
  out.note(
    `Its first full backup comes with the timetable, or now: homelab db backup full --repository ${String(repository)}`,
  );
}

/** Tries a repository out. */
export async function test(context: Context, name: string): Promise<void> {
  const api = await context.api();
  const seen = await api.call("POST /api/storage/{name}/test", { params: { name }, query: dryRun(context) });
  if (isPlan(seen)) return showPlan(context, seen);
  if (!seen.ok) process.exitCode = 1;
  if (context.flags.json) return context.out.json(seen);
  const colour = seen.ok ? "green" : "red";
  context.out.line(
    `${paint(colour, seen.ok ? mark.ok : mark.down)} ${seen.name} (${seen.place}): ${printable(seen.says)}`,
  );
  if (seen.hint) context.out.note(`  → ${printable(seen.hint)}`);
}

/** Gives a repository up; its name is asked for where something is there. */
export async function remove(context: Context, name: string): Promise<void> {
  if (!context.flags.dryRun) {
    const { items } = await lookAt(context, "GET /api/storage");
    const found = items.find((each) => each.name === name);
    if (found && holdsSomething(found)) await confirmName(context, name, async () => consequence(found));
  }
  const end = await operate(context, "storage.remove", { name });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const { place, passphrase } = end.result as { place: string; passphrase: string };
  context.out.note(done(`nothing is written to ${name} any more`));
  context.out.note(`What is there stays: ${place}. Its passphrase stays in ${passphrase}.`);
}

/** What cannot be read may hold anything. */
const holdsSomething = ({ backups, trouble }: Repository): boolean => backups > 0 || trouble !== null;

const consequence = ({ name, backups, place, trouble }: Repository): string =>
  `${name} (${place}) ${trouble ? `cannot be read now: ${trouble}` : `holds ${backups} ${backups === 1 ? "backup" : "backups"}`}. It gets no more WAL and backups; what is there stays.`;
