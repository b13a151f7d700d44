import { readFileSync } from "node:fs";
import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import type { Context } from "../context.ts";
import { operate } from "../operate.ts";
import { done, paint } from "../output.ts";

interface BranchResult {
  database: string;
  tables: number;
  rows: number;
  masked: { table: string; columns: string[]; rows: number }[];
  not_masked: string[];
  as_of: string | null;
}

/** Copies a database under a new name; with --mask, what is personal in it does not come along. */
export async function branch(
  context: Context,
  name: string,
  to: string,
  flags: { at?: string; mask?: string },
): Promise<void> {
  // Read before root gives its rights away.
  const mask = flags.mask === undefined ? {} : await readRules(flags.mask);
  const end = await operate(context, "database.branch", { name, new_name: to, at: flags.at, mask });
  if (!end) return;
  if (context.flags.json) return context.out.json(end);
  const { tables, rows, masked, not_masked: left, as_of: then } = end.result as BranchResult;
  for (const each of masked)
    context.out.note(`  masked ${each.table} (${each.columns.join(", ")}) in ${each.rows} rows`);
  if (left.length > 0)
    context.out.note(
      `${paint("yellow", "!", process.stderr)} not masked, though it looks personal: ${left.join(", ")}`,
    );
  context.out.note(
    done(`${to}: ${tables} tables, about ${rows} rows, as ${name} was ${then ? `at ${then}` : "a moment ago"}`),
  );
  context.out.note(`Its URLs: homelab db url ${to}`);
}

/** The rules of a YAML file. @throws HomelabError `usage` */
async function readRules(file: string): Promise<object> {
  const { parse } = await import("yaml");
  const shown = printable(file);
  let rules: unknown;
  try {
    rules = parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new HomelabError("usage", `${shown} cannot be read: ${(cause as Error).message}`, { cause });
  }
  if (typeof rules === "object" && rules !== null && !Array.isArray(rules)) return rules;
  throw new HomelabError("usage", `${shown} has no rules`, {
    hint: "It looks like:  person:  and below it, indented,  email: email",
  });
}
