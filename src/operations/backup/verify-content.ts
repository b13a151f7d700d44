import { open } from "node:fs/promises";
import { join } from "node:path";
import { HomelabError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { formatBytes, formatSeconds } from "../../core/units.ts";
import { AMCHECK_FOUND, amcheckCommand, parseAmcheckProgress, parseFindings } from "../../engines/postgres/amcheck.ts";
import { allowConnections } from "../../engines/postgres/ddl.ts";
import { isDamage } from "../../engines/postgres/content.ts";
import { readMark, type MarkedDatabase } from "../../engines/postgres/marks.ts";
import { findScratchServer, SCRATCH_PORT, scratchOptions } from "../../engines/postgres/scratch.ts";
import { cleanEnvironment, runAny } from "../../host/run.ts";
import { readCopy, type CopyReport } from "../../site/read-copy.ts";
import { inScratch, scratchOf } from "../../site/scratch.ts";
import { paced } from "../paced.ts";
import type { Step, StepContext } from "../operation.ts";
import { faultSoFar } from "./verify-restore.ts";
import { targetOf, type VerifyInput } from "./verify-target.ts";

type Context = StepContext<VerifyInput>;

export type StructureOutput = { seconds: number; relations: number; findings: string[] };
export type ReadOutput = { seconds: number; report: CopyReport };

const BLOCK = 8192;

/** Bytes of what the check says that are read: each finding is a line or two. */
const MOST_SAID = 64 * 1024;

/** Findings that are kept of a proof: one is enough to condemn, and a few say where to look. */
const MOST_FINDINGS = 20;

/** In the copy deleted databases are opened too: they are what somebody may want back. */
async function openAll({ site, runId }: Context): Promise<void> {
  await inScratch(site, runId, "postgres", async (session) => {
    const closed = await session.query<{ name: string }>(
      `SELECT datname AS name FROM pg_catalog.pg_database
       WHERE NOT datallowconn AND datname <> 'template0' AND datconnlimit <> -2`,
    );
    for (const { name } of closed) await session.query(allowConnections(name, true));
  });
}

/** Every page of every table, and every index against its table. */
export const checkStructure: Step<VerifyInput> = {
  name: "check-structure",
  plan: () => "check every table and index of it with pg_amcheck",
  async run(context) {
    if (faultSoFar(context) !== undefined) return { says: "not possible", output: null };
    await openAll(context);
    const begun = performance.now();
    const { relations, findings } = await amcheck(context);
    const seconds = (performance.now() - begun) / 1000;
    const says = findings[0] ?? `${relations} tables and indexes are sound`;
    return { says, output: { seconds, relations, findings } satisfies StructureOutput };
  },
  deadline: 600,
};

async function amcheck(context: Context): Promise<Pick<StructureOutput, "relations" | "findings">> {
  const { site, runId, signal, progress } = context;
  const server = await scratchOf(site, runId);
  const outputFile = join(server.folder, "amcheck.log");
  let relations = 0;
  const { exitCode, stderr } = await runAny({
    argv: [
      "/usr/bin/nice",
      "-n",
      "19",
      ...amcheckCommand(site.topology, { directory: server.socket, port: SCRATCH_PORT }),
    ],
    env: cleanEnvironment({ PGOPTIONS: scratchOptions(site.topology) }),
    signal,
    outputFile,
    onErrorLine(line) {
      const at = parseAmcheckProgress(line);
      if (!at) return;
      relations = at.relations;
      progress({ done: at.pages * BLOCK, total: at.totalPages * BLOCK, unit: "bytes" });
    },
  });
  signal.throwIfAborted();
  if (exitCode === 0) return { relations, findings: [] };
  const said = exitCode === AMCHECK_FOUND ? await beginningOf(outputFile) : stderr.trim().slice(-300);
  // A broken catalog ends the check itself.
  if (exitCode !== AMCHECK_FOUND && !isDamage(said))
    throw new HomelabError("process_failed", `pg_amcheck ended with ${exitCode}: ${said}`);
  const findings = parseFindings(said).slice(0, MOST_FINDINGS);
  return { relations, findings: findings.length > 0 ? findings : [`pg_amcheck: ${said.slice(0, 300)}`] };
}

async function beginningOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MOST_SAID), 0, MOST_SAID, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Every row of every table, and whether it is what the live cluster had written down. */
export const readTables: Step<VerifyInput> = {
  name: "read-tables",
  plan: () => "read every row of every table, and compare with what the live cluster had written down",
  async run(context) {
    const { site, runId, signal, progress } = context;
    if (faultSoFar(context) !== undefined) return { says: "not possible", output: null };
    const begun = performance.now();
    const { mark, faults } = await restoredMark(context);
    const report = await readCopy({
      within: (database, work) => inScratch(site, runId, database, work),
      isUp: async () => (await findScratchServer(await scratchOf(site, runId))) !== undefined,
      live: await site.postgres(),
      mark,
      signal,
      onRead: paced((done) => progress({ done, total: null, unit: "bytes" })),
    });
    report.faults = [...faults, ...report.faults];
    const seconds = (performance.now() - begun) / 1000;
    const output: ReadOutput = { seconds, report };
    return { says: inWords(output, mark.length > 0), output: output as unknown as Json };
  },
  deadline: 600,
};

/** The mark as the copy has it: that it is there is the first thing to be proven. */
async function restoredMark(context: Context): Promise<{ mark: MarkedDatabase[]; faults: string[] }> {
  const { mark: expected, to } = targetOf(context);
  if (!expected) return { mark: [], faults: [] };
  const mark = await inScratch(context.site, context.runId, "postgres", (session) => readMark(session, expected.id));
  const missing = `what the cluster had written at ${expected.at} is missing in the copy as of ${to}`;
  return { mark, faults: mark.length > 0 ? [] : [missing] };
}

function inWords({ seconds, report }: ReadOutput, isCompared: boolean): string {
  if (report.faults.length > 0) return report.faults[0]!;
  const read = `${report.tables} tables, ${report.rows} rows, ${formatBytes(report.bytes)} in ${formatSeconds(seconds)}`;
  if (!isCompared) return `${read}; there is no mark to compare with`;
  const { equal, changed, not_compared: left } = report;
  const rest = [...(changed > 0 ? [`${changed} changed since`] : []), ...(left > 0 ? [`${left} not compared`] : [])];
  return `${read}; ${[`${equal} equal`, ...rest].join(", ")}`;
}
