import { printable } from "../../core/text.ts";
import { formatBytes, formatSeconds } from "../../core/units.ts";
import type { Body } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { lookAt, stateNow } from "../look.ts";
import { mark, noteStale, paint, stateColour, table } from "../output.ts";
import { stateExit } from "./status.ts";

type DatabaseStatus = Body<"GET /api/database-status">;

const HEADLINE = { ok: "HEALTHY", degraded: "DEGRADED", unknown: "UNKNOWN", down: "UNHEALTHY" } as const;

/** What can be had back, and how the cluster is; the exit code tells, as of `health`. */
export async function status(context: Context): Promise<void> {
  const report = await lookAt(context, "GET /api/database-status");
  process.exitCode = stateExit[stateNow(report)];
  if (context.flags.json) return context.out.json(report);
  print(context, report);
}

function print({ out }: Context, report: DatabaseStatus): void {
  const state = stateNow(report);
  const headline = paint(stateColour[state], HEADLINE[state]);
  out.line(`${paint("bold", report.cluster)} · PostgreSQL ${report.postgres_version} · ${headline}`);
  for (const [name, says] of factsOf(report)) out.line(`${name.padEnd(13)} ${printable(says)}`);
  out.line("");
  table(
    out,
    ["NODE", "ROLE", "STATE", "TL", "DISK FREE", "CONN"],
    report.nodes.map((node) => [
      node.name,
      node.role ?? "?",
      node.state ?? "?",
      String(node.timeline ?? "?"),
      formatBytes(node.disk_free_bytes),
      node.connections === null ? "?" : `${node.connections}/${node.max_connections ?? "?"}`,
    ]),
  );
  out.line("");
  out.line(countsOf(report));
  for (const { name, state: its, says, hint } of report.troubles) {
    out.line(`${paint(stateColour[its], mark[its])} ${name.padEnd(12)} ${printable(says)}`);
    if (hint) out.line(`  ${"".padEnd(12)} → ${printable(hint)}`);
  }
  noteStale(out, report);
}

function factsOf({ recoverable, last_proven: proven, archiving, ...report }: DatabaseStatus): [string, string][] {
  return [
    ["Recoverable", recoverable?.says ?? "nothing yet: no backup can be relied on"],
    ["Last proven", proven ? `restore of ${proven.label}, ${ago(proven.at)}` : "never"],
    ["Archiving", archiving ? `${archiving.state === "ok" ? "ok, " : ""}${archiving.says}` : "not known"],
    ["Backup", backupOf(report)],
    ["Repositories", report.repositories.map(repositoryOf).join(", ") || "none"],
  ];
}

function backupOf({ last_backup: last, next_backup: next }: Pick<DatabaseStatus, "last_backup" | "next_backup">) {
  const before = last ? `${last.type} ${ago(last.at)}` : "none yet";
  return `${before} · ${next ? `next ${next.type} ${next.at}` : "none is made by itself: off in the settings"}`;
}

function repositoryOf({ name, type, free_bytes: free, trouble }: DatabaseStatus["repositories"][number]): string {
  if (trouble) return `${name} (${type}) ${trouble.split("\n")[0]}`;
  return `${name} (${type})${free === null ? " ok" : ` ${formatBytes(free)} free`}`;
}

function countsOf({ databases, pools }: DatabaseStatus): string {
  const size = databases && databases.size_bytes !== null ? ` · ${formatBytes(databases.size_bytes)}` : "";
  const count = databases ? `DATABASES ${databases.count}${size}` : "DATABASES out of reach";
  return pools ? `${count} · POOLS ${pools.clients} clients, ${pools.waiting} waiting` : count;
}

const ago = (at: string): string => `${formatSeconds(Math.max(0, (Date.now() - Date.parse(at)) / 1000))} ago`;
