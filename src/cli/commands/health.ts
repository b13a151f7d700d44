import { printable } from "../../core/text.ts";
import type { Body } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { lookAt, stateNow } from "../look.ts";
import { mark, noteStale, paint, stateColour } from "../output.ts";
import { stateExit } from "./status.ts";

type HealthReport = Body<"GET /api/health">;

/** Every check; the exit code tells. */
export async function health(context: Context, flags: { verbose?: boolean; outputFormat?: string }): Promise<void> {
  const report = await lookAt(context, "GET /api/health");
  const state = stateNow(report);
  process.exitCode = stateExit[state];
  if (context.flags.json || flags.outputFormat === "json") return context.out.json(report);
  print(context, { ...report, state }, flags.verbose === true);
  noteStale(context.out, { stale: report.stale, observed_at: report.at });
}

function print({ out }: Context, report: HealthReport, verbose: boolean): void {
  const bad = report.checks.filter((check) => check.state !== "ok");
  const good = report.checks.filter((check) => check.state === "ok");
  const word = { ok: "HEALTHY", degraded: "DEGRADED", unknown: "UNKNOWN", down: "UNHEALTHY" }[report.state];
  out.line(`${paint(stateColour[report.state], word)}  ${bad.length} to look at, ${good.length} ok`);
  for (const check of verbose ? report.checks : bad) {
    out.line(`${paint(stateColour[check.state], mark[check.state])} ${check.name.padEnd(14)} ${printable(check.says)}`);
    if (check.hint && (verbose || check.state !== "ok")) out.line(`  ${"".padEnd(14)} → ${check.hint}`);
  }
  if (!verbose)
    return out.line(
      good.map((check) => `${mark.ok} ${check.name}`).join("  ") +
        (report.versions.length > 0 ? "   --verbose shows versions" : ""),
    );
  for (const row of report.versions) {
    out.line(`! ${row.engine} ${row.installed}: ${row.says} (below ${row.fixed_in}; ${row.source})`);
  }
}
