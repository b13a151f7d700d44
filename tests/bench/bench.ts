import type { BenchHome } from "./home.ts";
import { median, percentile } from "./statistics.ts";

/** What one row of the table says: ours beside the bare tool. */
export interface Row {
  name: string;
  unit: "ms" | "s" | "tps" | "req/s" | "MB";
  ours: Side;
  /** The bare tool; left out where there is none. */
  bare?: Side;
  /** Ours divided by the bare tool. */
  ratio: number | null;
  /** What was promised, in words; null for a row that only informs. */
  target: string | null;
  ok: boolean | null;
  note: string | null;
}

/** One side of a row. */
export interface Side {
  n: number;
  p50: number;
  p95: number;
}

/** A group of rows that share their preparation. */
export interface Bench {
  name: string;
  measure(context: BenchContext): Promise<Row[]>;
}

export interface BenchContext {
  /** A home that is up; the same one for every bench that asks. */
  home(): Promise<BenchHome>;
  say(text: string): void;
}

export const side = (values: number[]): Side => ({
  n: values.length,
  p50: median(values),
  p95: percentile(values, 0.95),
});

/** A promise about a row: in words, and whether it is kept. */
export interface Target {
  says: string;
  holds(ours: Side, bare: Side | undefined, ratio: number | null): boolean;
}

export const atMostTimes = (factor: number): Target => ({
  says: `<= ${factor} x`,
  holds: (_ours, _bare, ratio) => ratio! <= factor,
});
export const atLeastTimes = (factor: number): Target => ({
  says: `>= ${factor} x`,
  holds: (_ours, _bare, ratio) => ratio! >= factor,
});
export const atMost = (limit: number, unit: string): Target => ({
  says: `<= ${limit} ${unit}`,
  holds: (ours) => ours.p50 <= limit,
});
export const atMostMore = (limit: number, unit: string): Target => ({
  says: `<= +${limit} ${unit}`,
  holds: (ours, bare) => ours.p50 - bare!.p50 <= limit,
});

/** What both sides measured, round by round. */
interface Values {
  ours: number[];
  bare?: number[];
}

/** Puts a row together: its ratio is the one of the medians. */
export const makeRow = (
  name: string,
  unit: Row["unit"],
  values: Values,
  target?: Target,
  note: string | null = null,
): Row => rowOf(name, unit, values, values.bare ? median(values.ours) / median(values.bare) : null, target, note);

/**
 * A row of a few long rounds: its ratio is the median of the rounds' own ratios, since the machine may be another one
 * a minute later, but not between two neighbours.
 */
export const makePairedRow = (
  name: string,
  unit: Row["unit"],
  values: Required<Values>,
  target?: Target,
  note: string | null = null,
): Row => rowOf(name, unit, values, median(values.ours.map((value, i) => value / values.bare[i]!)), target, note);

function rowOf(
  name: string,
  unit: Row["unit"],
  values: Values,
  ratio: number | null,
  target: Target | undefined,
  note: string | null,
): Row {
  const ours = side(values.ours);
  const bare = values.bare && side(values.bare);
  const ok = target ? target.holds(ours, bare, ratio) : null;
  return { name, unit, ours, bare, ratio, target: target?.says ?? null, ok, note };
}
