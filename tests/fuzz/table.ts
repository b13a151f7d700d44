import { formatBytes } from "../../src/core/units.ts";
import { EXCEPTIONS } from "./coverage.ts";
import type { FuzzReport } from "./run.ts";

/** Whether anything was found. */
export const isClean = ({ failures, uncovered, damage }: FuzzReport): boolean =>
  failures.length + uncovered.length + damage.length === 0;

/** The report as text: requests by route and status, then what was found. */
export function reportText(report: FuzzReport): string {
  const { counts, slowest, sent, seconds, seed, failures, uncovered, damage, memory } = report;
  const routes = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(...routes.map(([route]) => route.length));
  const rows = routes.map(([route, statuses]) => {
    const total = [...statuses.values()].reduce((sum, n) => sum + n, 0);
    const each = [...statuses].sort(([a], [b]) => a - b).map(([status, n]) => `${status}: ${n}`);
    return `${route.padEnd(width)} ${String(total).padStart(6)} ${`${slowest.get(route)!.toFixed(0)} ms`.padStart(8)}  ${each.join("  ")}`;
  });
  const found = failures.map(
    ({ route, rule, says, request, answer, seed: its, path }) =>
      `\nFAILED  ${route}: ${rule}\n        ${says}\n${indented(request)}\n        →\n${indented(answer)}\n        (seed ${its}, path "${path}")`,
  );
  return [
    `${"route".padEnd(width)} ${"n".padStart(6)} ${"slowest".padStart(8)}  answers`,
    ...rows,
    ...found,
    ...uncovered.map((route) => `\nFAILED  ${route}: nothing that the document allows ever succeeded`),
    ...damage.map((each) => `\nFAILED  afterwards: ${each}`),
    "",
    ...Object.entries(EXCEPTIONS).map(([route, reason]) => `not covered: ${route}: ${reason}`),
    `${sent} requests in ${seconds.toFixed(0)} s, seed ${seed}; the hub's memory ${formatBytes(memory.before)} before, ${formatBytes(memory.peak)} at most, ${formatBytes(memory.after)} after`,
    `${failures.length + uncovered.length + damage.length} failures`,
  ].join("\n");
}

const indented = (text: string): string =>
  text
    .split("\n")
    .map((line) => `        ${line}`)
    .join("\n");
