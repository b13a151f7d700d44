import { z } from "zod";
import { counting } from "../../core/bytes.ts";
import { HomelabError } from "../../core/errors.ts";
import { formatBytes } from "../../core/units.ts";
import { ArchiveCheck, checkedArchive } from "../../engines/postgres/archive-format.ts";
import { listStreamCommand } from "../../engines/postgres/dump.ts";
import { streamDump, succeeded } from "../../engines/postgres/dump-stream.ts";
import { freeBytes } from "../../host/machine.ts";
import { pipe } from "../../host/run.ts";
import {
  checkStored,
  dumpIdOf,
  dumpRepository,
  listDumps,
  readDump,
  removeDump,
  requireDump,
  storeDump,
} from "../../site/dump-store.ts";
import { formatVersion } from "../../cluster/versions.ts";
import type { Guard, Operation, Step, StepContext } from "../operation.ts";
import { databaseName } from "./database-name.ts";
import { requireExportable } from "./exportable.ts";
import { dumpsToRemove } from "./dump-retention.ts";

const backupInput = z.strictObject({
  name: databaseName,
  note: z
    .string()
    .regex(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{1,200}$/, "expected one line of at most 200 characters")
    .optional()
    .describe("Kept beside the dump"),
});

type BackupInput = z.infer<typeof backupInput>;
type Context = StepContext<BackupInput>;

const exists: Guard<BackupInput> = async ({ site, input }) => {
  await requireExportable(await (await site.postgres()).admin(), input.name);
  await dumpRepository(site);
};

/** Bytes below which nothing more is written to the repository's disk. */
const RESERVE = 512 * 1024 * 1024;

const roomIsThere: Guard<BackupInput> = async ({ site }) => {
  const { path } = await dumpRepository(site);
  const free = freeBytes(path);
  if (free > RESERVE) return;
  throw new HomelabError("disk_short", `${formatBytes(free)} are free for the repository`, {
    hint: `${formatBytes(RESERVE)} stay free. Make some room, and try again.`,
  });
};

const isStored = async ({ site, runId }: Context): Promise<boolean> =>
  requireDump(site, dumpIdOf(runId)).then(
    () => true,
    () => false,
  );

/** The dump is named after the run: whoever takes it over finds what was made. */
const dump: Step<BackupInput> = {
  name: "dump",
  plan: ({ input }) => `dump ${input.name} into the repository`,
  check: isStored,
  async run(context) {
    const { site, input, runId, signal, progress } = context;
    const repository = await dumpRepository(site);
    const { superuser } = await site.secrets();
    const wish = { database: input.name, superuser, id: runId, signal };
    let done = 0;
    const source = counting(checkedArchive(streamDump(site.topology, wish)), (bytes) => (done += bytes));
    const telling = setInterval(() => progress({ done, total: null, unit: "bytes" }), 500);
    try {
      const made = await storeDump(
        repository,
        {
          id: dumpIdOf(runId),
          database: input.name,
          made_at: new Date(site.clock.now()).toISOString(),
          postgresql: formatVersion(site.topology.versions.postgresql),
          note: input.note ?? null,
          by: runId,
        },
        source,
        signal,
      );
      return { says: `${formatBytes(made.dump_bytes)} dumped` };
    } finally {
      clearInterval(telling);
    }
  },
  async undo({ site, runId }) {
    const made = await requireDump(site, dumpIdOf(runId)).catch(() => undefined);
    if (made) await removeDump(await dumpRepository(site), made);
  },
  deadline: 300,
};

/** What was written is read again: decrypted, from the head to the last block, and by pg_restore itself. */
const checkDump: Step<BackupInput> = {
  name: "check-dump",
  plan: () => "read it back from end to end",
  async run({ site, runId, signal, progress }) {
    const repository = await dumpRepository(site);
    const made = await requireDump(site, dumpIdOf(runId));
    await checkStored(repository, made, signal);
    const check = new ArchiveCheck();
    for await (const chunk of readDump(repository, made)) {
      check.push(chunk);
      progress({ done: check.bytes, total: made.dump_bytes, unit: "bytes" });
    }
    const { entries } = check.end();
    const listed = pipe({ argv: listStreamCommand(site.topology), signal });
    const [text] = await Promise.all([textOf(listed.stdout), feed(readDump(repository, made), listed.stdin)]);
    await succeeded(listed, "pg_restore --list");
    const lines = text.split("\n").filter((line) => /^\d+; /.test(line)).length;
    if (lines === 0 && entries.length > 0)
      throw new HomelabError("backup_failed", "pg_restore finds nothing in the dump");
    const { database: _database, by: _by, ...summary } = made;
    return { says: `${formatBytes(made.stored_bytes)} stored, ${entries.length} entries`, output: { ...summary } };
  },
  deadline: 300,
};

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** It reads the table of contents, and no further. */
async function feed(source: AsyncIterable<Uint8Array>, stdin: NodeJS.WritableStream & { destroyed?: boolean }) {
  for await (const chunk of source) {
    if (stdin.destroyed) return;
    if (!stdin.write(chunk))
      await new Promise((resolve) => stdin.once("drain", resolve).once("close", resolve).once("error", resolve));
  }
  stdin.end();
}

/** Of this database alone; the last one never goes. */
const expireDumps: Step<BackupInput> = {
  name: "expire-dumps",
  plan: () => "remove dumps that the retention no longer keeps; never the last",
  async run({ site, input }) {
    const repository = await dumpRepository(site);
    const going = dumpsToRemove(await listDumps(site, input.name), site.topology.settings.database.dump_retention);
    for (const each of going) await removeDump(repository, each);
    return { says: going.length > 0 ? `removed ${going.map(({ id }) => id).join(", ")}` : "nothing has had its day" };
  },
  deadline: 60,
};

/** One database by itself, beside the backups of the whole cluster: for a version to come, or for somebody else. */
export const databaseBackup: Operation<BackupInput> = {
  name: "database.backup",
  summary: "Dump one database into the repository's folder, encrypted as the repository is",
  title: ({ name }) => `Dump database ${name}`,
  scope: "operate",
  route: { method: "POST", path: "/api/databases/{name}/dumps" },
  command: "db backup",
  input: backupInput,
  // Beside everything else that is done with the database: a dump sees it as it was when it began.
  locks: ({ name }) => [`dumps/${name}`],
  guards: [exists, roomIsThere],
  steps: [dump, checkDump, expireDumps],
  result: async ({ input, output }) => ({ database: input.name, ...output<Record<string, string>>("check-dump") }),
};
