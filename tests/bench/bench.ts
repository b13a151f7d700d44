import type { BenchHome } from "./home.ts";
import { median, percentile } from "./statistics.ts";

/** What one row of the table says: ours beside the bare tool. */
export interface Row {
  name: string;
  unit: "ms" | "s" | "tps" | "MB";
  ours: Side;
  /** The bare tool; left out where there is none. */
  bare?: Side;
  /** Ours divided by the bare tool, by the medians. */
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
  holds(ours: Side, bare: Side | undefined): boolean;
}

export const atMostTimes = (factor: number): Target => ({
  says: `<= ${factor} x`,
  holds: (ours, bare) => ours.p50 <= factor * bare!.p50,
});
export const atLeastTimes = (factor: number): Target => ({
  says: `>= ${factor} x`,
  holds: (ours, bare) => ours.p50 >= factor * bare!.p50,
});
export const atMost = (limit: number, unit: string): Target => ({
  says: `<= ${limit} ${unit}`,
  holds: (ours) => ours.p50 <= limit,
});
export const atMostMore = (limit: number, unit: string): Target => ({
  says: `<= +${limit} ${unit}`,
  holds: (ours, bare) => ours.p50 - bare!.p50 <= limit,
});

/** Puts a row together from the values of both sides. */
export function makeRow(
  name: string,
  unit: Row["unit"],
  values: { ours: number[]; bare?: number[] },
  target?: Target,
  note: string | null = null,
): Row {
  const ours = side(values.ours);
  const bare = values.bare && side(values.bare);
  return {
    name,
    unit,
    ours,
    bare,
    ratio: bare ? ours.p50 / bare.p50 : null,
    target: target?.says ?? null,
    ok: target ? target.holds(ours, bare) : null,
    note,
  };
}
