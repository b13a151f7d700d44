import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { counting } from "../../core/bytes.ts";
import type { RunId } from "../../core/ids.ts";
import type { Json } from "../../core/json.ts";
import { formatBytes } from "../../core/units.ts";
import { checkedArchive } from "../../engines/postgres/archive-format.ts";
import type { ServerSocket } from "../../engines/postgres/dump.ts";
import { streamDump } from "../../engines/postgres/dump-stream.ts";
import { SCRATCH_PORT } from "../../engines/postgres/scratch.ts";
import { ensureFolder } from "../../host/files.ts";
import { archiveNow } from "../../site/archive-now.ts";
import { chooseRestore, type ChosenRestore } from "../../site/restore-target.ts";
import { removeScratch, replayScratch, restoreToScratch } from "../../site/scratch.ts";
import type { Site } from "../../site/site.ts";
import type { Step, StepContext } from "../operation.ts";

/** What a branch is made of. */
interface CopyInput {
  name: string;
  /** A moment; now, where there is none. */
  at?: string | undefined;
}

type Context<In extends CopyInput = CopyInput> = StepContext<In>;

/** Of which moment the branch is; empty for now. */
export type Then = { as_of?: string };

/** Where the dump in between lies: it goes with the scratch of the run. */
export const copyFile = ({ topology }: Pick<Site, "topology">, runId: RunId): string =>
  join(topology.paths.scratch, runId, "copy.dump");

/** The bytes of a database's files; 0 where there is none. */
export async function sizeOf(site: Site, database: string): Promise<number> {
  const admin = await (await site.postgres()).admin();
  const [row] = await admin.query<{ bytes: string }>(
    "SELECT pg_catalog.pg_database_size(oid)::text AS bytes FROM pg_catalog.pg_database WHERE datname = $1",
    [database],
  );
  return Number(row?.bytes ?? 0);
}

const choose = ({ site, input, signal }: Context): Promise<ChosenRestore> =>
  chooseRestore(site, { to: input.at! }, { signal, canArchive: true });

/** Bytes that a moment of the past needs in scratch. @throws HomelabError `target_outside_window` with what can be had back */
export async function bytesOfThen(context: Context): Promise<number> {
  if (context.input.at === undefined) return 0;
  const { database_bytes, wal_bytes } = await choose(context);
  return database_bytes + wal_bytes;
}

type Chosen = { restore: ChosenRestore; as_of: string };

/** Which backup it is, for the whole run: a newer one that is made meanwhile changes nothing. */
export const chooseBackup: Step<CopyInput> = {
  name: "choose-backup",
  plan: ({ input }) =>
    input.at === undefined ? "take it as it is now" : `find the backup from which ${input.at} can be reached`,
  check: async ({ input, output }) => input.at === undefined || output("choose-backup") !== undefined,
  async run(context) {
    let restore = await choose(context);
    if (!restore.in_archive) {
      await archiveNow(context.site, context.signal);
      restore = await choose(context);
    }
    const output: Chosen = { restore, as_of: restore.as_of ?? context.input.at! };
    return { says: `${restore.label} (${restore.repository})`, output: output as unknown as Json };
  },
  deadline: 150,
};

/** The cluster as it was, beside the live one; nothing is done again that was done. */
async function serverOfThen(context: Context): Promise<ServerSocket> {
  const { site, runId, signal, progress, output } = context;
  const { restore } = output<Chosen>("choose-backup")!;
  const { repo, label, recovery, timeline, database_bytes: total } = restore;
  const wish = { repo, label, recovery, timeline };
  const onPart = (part: number) => progress({ done: Math.round(part * total), total, unit: "bytes" });
  const onSegments = (count: number) => progress({ done: count, total: null, unit: "steps" });
  const server = await restoreToScratch(site, runId, wish, { signal, onPart });
  await replayScratch(site, runId, wish, { signal, onSegments, orEnd: true });
  return { directory: server.socket, port: SCRATCH_PORT };
}

/** From the repository into this run's own folder, and replayed there: the live cluster is not touched. */
export const bringBack: Step<CopyInput> = {
  name: "bring-back",
  plan: ({ input }) =>
    input.at === undefined ? "bring nothing back" : `restore the cluster aside, and replay its log to ${input.at}`,
  check: async ({ input, output }) => input.at === undefined || output("bring-back") !== undefined,
  async run(context) {
    await serverOfThen(context);
    return { says: `as of ${context.output<Chosen>("choose-backup")!.as_of}`, output: true };
  },
  undo: ({ site, runId }) => removeScratch(site, runId),
  deadline: 300,
};

/** As pg_dump sees it: nobody's session ends, and nobody waits. */
export const copyOut: Step<CopyInput> = {
  name: "copy-out",
  plan: ({ input }) =>
    `dump ${input.name}${input.at === undefined ? " as it is now" : " out of it"}; its sessions go on`,
  async run(context) {
    const { site, input, runId, signal, progress } = context;
    // The machine may have been started anew since.
    const server = input.at === undefined ? undefined : await serverOfThen(context);
    const { superuser } = await site.secrets();
    const path = copyFile(site, runId);
    for (const folder of [site.topology.paths.scratch, join(path, "..")]) await ensureFolder(folder, 0o700);
    let done = 0;
    // Level 1: it lies on the disk for as long as it takes to be read again.
    const wish = { database: input.name, superuser, server, id: runId, signal, compression: 1 };
    const dump = counting(checkedArchive(streamDump(site.topology, wish)), (bytes) => (done += bytes));
    const telling = setInterval(() => progress({ done, total: null, unit: "bytes" }), 500);
    try {
      await pipeline(Readable.from(dump), createWriteStream(path, { mode: 0o600 }), { signal });
    } finally {
      clearInterval(telling);
    }
    return { says: `${formatBytes(done)} dumped` };
  },
  undo: ({ site, runId }) => removeScratch(site, runId),
  deadline: 300,
};

/** With whatever else the run had in scratch. */
export const removeCopy: Step<CopyInput> = {
  name: "remove-copy",
  plan: () => "remove the dump in between",
  async run({ site, runId }) {
    await removeScratch(site, runId);
    return { says: "removed" };
  },
  deadline: 120,
};
