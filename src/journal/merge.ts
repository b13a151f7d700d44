import { stableStringify, type Json } from "../core/json.ts";
import type { Holder, RunRecord } from "./journal.ts";

/** Two runs that would do the very same have one fingerprint. */
export const fingerprintOf = ({ operation, input }: { operation: string; input: Json }): string =>
  stableStringify([operation, input]);

/** What a store knows of a run that another store has too. */
export interface KnownRun {
  epoch: number;
  holder: Holder | null;
  over: boolean;
}

/**
 * What a record is to a store: `stale` when the run went on elsewhere, `old` when it is known to be over, `add` when
 * both tell one story, `replace` when the story here ends where another process took the run over.
 */
export function mergeOf(known: KnownRun | undefined, record: RunRecord): "stale" | "old" | "add" | "replace" {
  if (!known) return "add";
  if (known.epoch > record.epoch) return "stale";
  if (known.epoch < record.epoch) return "replace";
  // An epoch is one holder's: two of them took the run over at once, each in a store of its own.
  if (!isSameHolder(known.holder, record.holder)) return "stale";
  return known.over && record.run.state === "running" ? "old" : "add";
}

/** Whether two holders are one process. */
export const isSameHolder = (one: Holder | null, other: Holder | null): boolean =>
  one?.pid === other?.pid && one?.startTicks === other?.startTicks && one?.bootId === other?.bootId;
