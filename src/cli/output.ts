import { styleText, stripVTControlCharacters } from "node:util";
import { printable } from "../core/text.ts";

/** Where a command writes: data to standard output, everything else to standard error. */
export interface Output {
  /** Standard output is a person's terminal. */
  isTerminal: boolean;
  /** Data: one line. */
  line(text: string): void;
  /** The API's body, unchanged: one document. */
  json(value: unknown): void;
  /** Everything that is not data. */
  note(text: string): void;
}

export const processOutput: Output = {
  isTerminal: process.stdout.isTTY === true,
  line: (text) => void process.stdout.write(`${text}\n`),
  json: (value) => void process.stdout.write(`${JSON.stringify(value, null, process.stdout.isTTY ? 2 : undefined)}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
};

type Style = Parameters<typeof styleText>[0];

/** Colours a text for a stream; `styleText` leaves it plain off a terminal and with NO_COLOR. */
export const paint = (style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string =>
  stream.isTTY ? styleText(style, text, { stream }) : text;

const width = (text: string): number => stripVTControlCharacters(text).length;

/** Printable, but for the colours that `paint` gave: a name can bring no more than those. */
const exceptColours = (cell: string): string =>
  cell
    .split(/(\u001b\[[0-9;]*m)/)
    .map((part, i) => (i % 2 === 1 ? part : printable(part)))
    .join("");

/**
 * A table: aligned for a person, separated by tabs and without headings in a pipe. Cells come from databases' names
 * and logs too, so whatever could steer a terminal is made visible.
 */
export function table(out: Output, headings: string[], rows: string[][]): void {
  const cells = rows.map((row) => row.map((cell) => (out.isTerminal ? exceptColours(cell) : printable(cell))));
  if (cells.length === 0 && !out.isTerminal) return;
  // One write: to a pipe, each is a system call that waits.
  if (!out.isTerminal) return out.line(cells.map((row) => row.join("\t")).join("\n"));
  const all = [headings, ...cells];
  const widths = headings.map((_, i) => Math.max(...all.map((row) => width(row[i] ?? ""))));
  const format = (row: string[]) =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell + " ".repeat(widths[i]! - width(cell)))).join("  ");
  out.line([paint("dim", format(headings)), ...cells.map(format)].join("\n"));
}

/** Words and marks, never colour alone. */
export const mark = { ok: "✓", degraded: "!", down: "✗", unknown: "?" } as const;

export const stateColour = { ok: "green", degraded: "yellow", down: "red", unknown: "yellow" } as const;

/** Said below a report that is older than the question, since what it asks does not answer. */
export function noteStale(out: Output, { stale, observed_at: at }: { stale: boolean; observed_at: string }): void {
  if (stale) out.note(`This is how it was at ${at}: what is asked does not answer now.`);
}

/** A sentence on what was done, for standard error. */
export const done = (says: string): string => `${paint("green", "✓", process.stderr)} ${says}`;
