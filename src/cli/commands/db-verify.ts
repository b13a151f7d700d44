import { HomelabError } from "../../core/errors.ts";
import { formatBytes, formatSeconds } from "../../core/units.ts";
import type { Body } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { operate } from "../operate.ts";
import { done, table } from "../output.ts";

type Result = NonNullable<Body<"GET /api/proofs">["items"][number]["result"]>;

/** Proves a backup by restoring it. */
export async function verify(
  context: Context,
  backup: string | undefined,
  flags: { latest?: boolean; to?: string },
): Promise<void> {
  if (backup !== undefined && flags.latest)
    throw new HomelabError("usage", "a backup and --latest exclude each other", {
      hint: "Without either, it is the newest good backup too.",
    });
  const end = await operate(context, "backup.verify", { backup, to: flags.to });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const result = end.result as Result;
  context.out.note(done(`${result.label} is proven`));
  table(context.out, ["WHAT", "FOUND"], rows(result));
}

const inSeconds = (seconds: number | null): string => (seconds === null ? "-" : formatSeconds(seconds));

function rows(result: Result): string[][] {
  const { seconds } = result;
  const speed = result.bytes_per_second === null ? "" : `, ${formatBytes(result.bytes_per_second)}/s`;
  return [
    ["backup", `${result.label} (${result.type}, ${result.repository})`],
    ["replayed to", result.to],
    ["restored", `${formatBytes(result.restored_bytes)} in ${inSeconds(seconds.restore)}${speed}`],
    ["replayed", `${result.segments ?? "-"} segments in ${inSeconds(seconds.replay)}`],
    ["checked", `${result.relations ?? "-"} tables and indexes in ${inSeconds(seconds.structure)}, all sound`],
    [
      "read",
      `${result.tables} tables of ${result.databases} databases, ${result.rows} rows in ${inSeconds(seconds.read)}`,
    ],
    ["compared", compared(result)],
    ["could be lost", `${inSeconds(result.rpo_seconds)} (RPO, measured)`],
    ["back after", `${inSeconds(result.rto_seconds)} (RTO, measured)`],
  ];
}

function compared({ mark_at: mark, equal, sampled, changed, not_compared: open }: Result): string {
  if (mark === null) return "with nothing: the cluster had written nothing down before that second";
  const parts = [`${equal} tables equal${sampled > 0 ? ` (${sampled} by samples)` : ""}`];
  if (changed > 0) parts.push(`${changed} changed since`);
  if (open > 0) parts.push(`${open} not compared`);
  return `with what the cluster wrote at ${mark}: ${parts.join(", ")}`;
}
