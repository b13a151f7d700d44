import type { Row, Side } from "./bench.ts";

const figure = (value: number): string =>
  value >= 1000 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
const pair = (side: Side | undefined): string => (side ? `${figure(side.p50)} / ${figure(side.p95)}` : "-");
const verdict = (ok: boolean | null): string => (ok === null ? "" : ok ? "ok" : "MISSED");

/** Prints the rows as one table; what there is to say of a row stands below. */
export function printTable(rows: Row[]): void {
  const head = ["", "n", "ours p50 / p95", "bare p50 / p95", "unit", "ratio", "target", ""];
  const cells = rows.map((row) => [
    row.name,
    String(row.ours.n),
    pair(row.ours),
    pair(row.bare),
    row.unit,
    row.ratio === null ? "-" : row.ratio.toFixed(2),
    row.target ?? "-",
    verdict(row.ok),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((line) => line[i]!.length)));
  const format = (line: string[]) =>
    line
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  console.log(`\n${format(head)}`);
  for (const line of cells) console.log(format(line));
  const noted = rows.filter((row) => row.note);
  if (noted.length > 0) console.log("");
  for (const row of noted) console.log(`${row.name}: ${row.note}`);
}
