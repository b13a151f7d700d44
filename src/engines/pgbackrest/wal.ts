import type { ArchivedSegment } from "./archive.ts";

/** The usual size of a segment (PostgreSQL manual, initdb --wal-segsize); ours are never made with another. */
export const SEGMENT_BYTES = 16 * 1024 * 1024;

/** How many segments have the same second part of their names. */
const PER_LOG = 2 ** 32 / SEGMENT_BYTES;

/** A segment's place: on which timeline, and the how manieth it is since the log began. */
export interface Place {
  timeline: number;
  index: number;
}

const SEGMENT = BigInt(SEGMENT_BYTES);

const hex = (text: string): number => Number.parseInt(text, 16);

/** Reads a segment's name (`000000010000000A000000FF`). */
export const placeOf = (name: string): Place => ({
  timeline: hex(name.slice(0, 8)),
  index: hex(name.slice(8, 16)) * PER_LOG + hex(name.slice(16, 24)),
});

const upper = (value: number): string => value.toString(16).toUpperCase().padStart(8, "0");

/** The name of the segment at a place. */
export const segmentName = ({ timeline, index }: Place): string =>
  upper(timeline) + upper(Math.floor(index / PER_LOG)) + upper(index % PER_LOG);

/** In which segment a position of the log (`0/3000050`) lies. */
export function indexOfLsn(lsn: string): number {
  const [high, low] = lsn.split("/");
  return hex(high!) * PER_LOG + Math.floor(hex(low!) / SEGMENT_BYTES);
}

/** A position of the log as a number, so that two can be compared. */
export const lsnValue = (lsn: string): bigint =>
  lsn.split("/").reduce((value, part) => value * 2n ** 32n + BigInt(`0x${part}`), 0n);

/** The part of the log that one timeline gives to a history: from one segment up to, and without, another. */
export interface Leg {
  timeline: number;
  from: number;
  to: number;
  /** Where exactly it was left, within the segment `to`; absent for the last one. */
  leftAt?: bigint;
}

/**
 * The way that the log took to a timeline: its history file names each ancestor, and where it was left. The segment in
 * which it was left is whole on the child only (PostgreSQL manual, 26.3.6).
 */
export function legsTo(timeline: number, history: string | undefined): Leg[] {
  const rows = [...(history ?? "").matchAll(/^(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/gm)];
  const legs: Leg[] = [];
  let from = 0;
  for (const [, parent, lsn] of rows) {
    const to = indexOfLsn(lsn!);
    legs.push({ timeline: Number(parent), from, to, leftAt: lsnValue(lsn!) });
    from = to;
  }
  return [...legs, { timeline, from, to: Number.POSITIVE_INFINITY }];
}

/** A run of segments that are not there. */
export interface Missing {
  first: string;
  last: string;
  count: number;
  /** Their places in the log: from the first to the last. */
  from: number;
  to: number;
}

/** The segments of a history that a repository has, by their place. */
export type Along = Map<number, ArchivedSegment>;

/** Picks from an archive what belongs to a history. */
export function along(legs: Leg[], segments: ArchivedSegment[]): Along {
  const found: Along = new Map();
  for (const segment of segments) {
    const { timeline, index } = placeOf(segment.name);
    if (legs.some((leg) => leg.timeline === timeline && index >= leg.from && index < leg.to)) found.set(index, segment);
  }
  bridge(found, legs, segments);
  return found;
}

/**
 * The segment in which the last ancestor was left serves until the child's own copy of it has arrived: PostgreSQL takes
 * it from whichever timeline it finds (xlogrecovery.c, XLogFileReadAnyTLI). Once the child has later ones, it must have it.
 */
function bridge(found: Along, legs: Leg[], segments: ArchivedSegment[]): void {
  const newest = legs.at(-1);
  // Nothing was archived yet.
  if (!newest) return;
  const { from } = newest;
  if (found.has(from) || [...found.keys()].some((index) => index > from)) return;
  const left = legs.filter(({ to, leftAt }) => to === from && leftAt !== undefined && leftAt % SEGMENT !== 0n);
  const names = left.map(({ timeline }) => segmentName({ timeline, index: from })).toReversed();
  const segment = names.map((name) => segments.find((each) => each.name === name)).find((each) => each !== undefined);
  if (segment) found.set(from, segment);
}

/** What is missing from one place of a history to another, both included. */
export function missingBetween(legs: Leg[], present: Along, from: number, to: number): Missing[] {
  const found: Missing[] = [];
  for (let index = from; index <= to; index++) {
    if (present.has(index)) continue;
    const name = nameAlong(legs, index);
    const last = found.at(-1);
    if (last && last.to === index - 1) Object.assign(last, { last: name, to: index, count: last.count + 1 });
    else found.push({ first: name, last: name, count: 1, from: index, to: index });
  }
  return found;
}

const nameAlong = (legs: Leg[], index: number): string => {
  const leg = legs.find((each) => index >= each.from && index < each.to);
  return segmentName({ timeline: leg!.timeline, index });
};
