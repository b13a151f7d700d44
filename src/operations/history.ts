import { HomelabError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { StepEntry } from "../journal/journal.ts";
import { stepNames, type AnyOperation } from "./operation.ts";

/** What the journal says of a run so far. */
export interface History {
  /** Steps up to and including this index lie behind the last barrier; −1 when none was passed. */
  barrierIndex: number;
  done: Map<string, Json>;
  /** Steps that this run began and did not take back, in the order in which they were begun. */
  touched: string[];
  /** Brackets that were entered and not left. */
  open: Set<string>;
}

/** Reads a run's entries. */
export function readHistory(operation: AnyOperation, entries: StepEntry[]): History {
  const names = stepNames(operation);
  const history: History = { barrierIndex: -1, done: new Map(), touched: [], open: new Set() };
  for (const entry of entries) applyEntry(history, names, entry);
  return history;
}

function applyEntry(history: History, names: string[], entry: StepEntry): void {
  const { step, event } = entry;
  if (event === "started" && !history.touched.includes(step)) history.touched.push(step);
  if (event === "done") history.done.set(step, entry.output);
  if (event === "done" && entry.barrier) history.barrierIndex = Math.max(history.barrierIndex, names.indexOf(step));
  // From here on it may be half taken back: whoever goes on must not count on it.
  if (event === "undoing") history.done.delete(step);
  if (event === "undone") {
    history.touched = history.touched.filter((name) => name !== step);
    history.done.delete(step);
  }
  if (event === "entered") history.open.add(step);
  if (event === "left") history.open.delete(step);
}

/**
 * Refuses to go on with a run that another version began with other steps: its journal would be misread.
 * @throws HomelabError `steps_unknown`
 */
export function checkFrozenSteps(operation: AnyOperation, frozen: string[]): void {
  const names = stepNames(operation);
  if (names.join() === frozen.join()) return;
  const strange = frozen.filter((name) => !names.includes(name));
  throw new HomelabError(
    "steps_unknown",
    `${operation.name} was begun with other steps${strange.length ? ` (${strange.join(", ")})` : ""}`,
    {
      hint: "Finish it with the version that began it, or cancel it: homelab op cancel <id>.",
    },
  );
}
