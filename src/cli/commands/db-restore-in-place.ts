import { HomelabError } from "../../core/errors.ts";
import type { Context } from "../context.ts";
import { confirmName } from "../confirm.ts";
import { operate } from "../operate.ts";
import { done, paint } from "../output.ts";
import { settingOf } from "../setting.ts";
import { isPlan } from "../show-plan.ts";
import { targetOf, type TargetFlags } from "./db-restore.ts";

/** What of `db restore` is for the whole cluster. */
interface InPlaceFlags extends TargetFlags {
  inPlace?: boolean;
  undo?: boolean;
  discardKept?: boolean;
  db?: string;
}

/** What the two operations answer. */
interface Replaced {
  cluster: string;
  as_of: string | null;
  last_commit?: string | null;
  backup?: string;
  gone: string[];
  passwords_unknown: string[];
  kept: string;
  kept_for: string;
}

async function clusterName(context: Context): Promise<string> {
  const name = await settingOf(context, "name");
  if (typeof name === "string") return name;
  throw new HomelabError("failed", "the cluster does not tell its name");
}

/** What the first step would change, as the hub says it: every database that goes. Refused here is refused before anything is asked. */
async function consequence(context: Context, operation: string, input: Record<string, unknown>): Promise<string> {
  const body = { operation, input };
  const plan = await (await context.api()).call("POST /api/operations", { query: { dry_run: "true" }, body });
  if (!isPlan(plan)) throw new HomelabError("failed", "the hub answered no plan");
  return plan.steps.find(({ step }) => step === "note-cluster")?.says ?? "the whole cluster goes";
}

async function replace(context: Context, operation: string, input: Record<string, unknown>): Promise<void> {
  const cluster = await clusterName(context);
  const whole = { cluster, ...input };
  if (!context.flags.dryRun) await confirmName(context, cluster, () => consequence(context, operation, whole));
  const end = await operate(context, operation, whole);
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const result = end.result as Replaced;
  context.out.note(
    done(`cluster ${result.cluster} is back ${result.as_of ? `as of ${result.as_of}` : "at the target"}`),
  );
  if (result.gone.length > 0)
    context.out.note(`Not there at that moment: ${result.gone.join(", ")}. Their passwords are kept.`);
  if (result.passwords_unknown.length > 0) {
    const names = result.passwords_unknown.join(", ");
    const words = `Nobody here knows the passwords of ${names}: homelab db create NAME makes new ones.`;
    context.out.note(paint("yellow", words, process.stderr));
  }
  context.out.note(
    `What was there is kept for ${result.kept_for}: homelab db restore --undo --confirm=${result.cluster}`,
  );
  context.out.note("The next backup comes by the timetable. One now: homelab db backup");
}

/** Takes the whole cluster back in its place, or to before the last time that this was done. */
export async function inPlace(context: Context, backup: string | undefined, flags: InPlaceFlags): Promise<void> {
  if (flags.db !== undefined)
    throw new HomelabError("usage", "in its place, the whole cluster is restored, and no single database", {
      hint: "Without --in-place, --db restores one database beside the present one.",
    });
  if (flags.discardKept) return discardKept(context);
  if (flags.undo) return replace(context, "cluster.undo-restore", {});
  return replace(context, "cluster.restore", targetOf(backup, flags));
}

/** Removes what restores in place replaced, before its time. */
async function discardKept(context: Context): Promise<void> {
  const cluster = await clusterName(context);
  const say = async () => "What restores in place replaced is removed for good; they cannot be undone then.";
  if (!context.flags.dryRun) await confirmName(context, cluster, say);
  const end = await operate(context, "cluster.discard-replaced", { all: true });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const { removed } = end.result as { removed: string[] };
  context.out.note(done(removed.length > 0 ? `removed ${removed.join(", ")}` : "nothing was kept"));
}
