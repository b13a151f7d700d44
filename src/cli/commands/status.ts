import { formatBytes } from "../../core/units.ts";
import { printable } from "../../core/text.ts";
import type { Body } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { lookAt, stateNow } from "../look.ts";
import { mark, noteStale, paint, stateColour, table } from "../output.ts";

type ClusterStatus = Body<"GET /api/cluster">;

/** Exit codes by state: 5 degraded, 6 data is out of reach. */
export const stateExit = { ok: 0, degraded: 5, unknown: 5, down: 6 } as const;

const HEADLINE = { ok: "HEALTHY", degraded: "DEGRADED", unknown: "UNKNOWN", down: "UNHEALTHY" } as const;

/** One screen; the exit code tells. */
export async function status(context: Context): Promise<void> {
  const report = await lookAt(context, "GET /api/cluster");
  process.exitCode = stateExit[stateNow(report)];
  if (context.flags.json) return context.out.json(report);
  print(context, report);
}

function print({ out }: Context, report: ClusterStatus): void {
  const state = stateNow(report);
  const headline = report.stopped ? "STOPPED" : HEADLINE[state];
  out.line(
    `${paint("bold", report.cluster)} · PostgreSQL ${report.postgres_version} · ${paint(stateColour[state], headline)}`,
  );
  const databases = report.databases
    ? `${report.databases.count} ${report.databases.count === 1 ? "database" : "databases"}${sizeOf(report.databases.size_bytes)}`
    : "databases out of reach";
  out.line(`${databases} · ${formatBytes(report.disk_free_bytes)} free · ${report.home}`);
  out.line("");
  const rows = report.services.map((service) => [
    `${paint(stateColour[service.state], mark[service.state])} ${service.name}`,
    service.ports.join(" ") || "-",
    printable(service.says),
  ]);
  table(out, ["  SERVICE", "PORTS", "STATE"], rows);
  if (report.events.length > 0) out.note("");
  for (const event of report.events)
    out.note(paint("dim", `${event.at}  ${event.service} ${printable(event.says)}`, process.stderr));
  noteStale(out, report);
  if (report.stopped) out.note("homelab up starts it.");
}

/** Sizes come from the sampler: before its first round there is none to show. */
const sizeOf = (bytes: number | null): string => (bytes === null ? "" : `, ${formatBytes(bytes)}`);
