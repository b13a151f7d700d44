import { mkdir, writeFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { checkout } from "../harness/home.ts";
import type { Row } from "./bench.ts";
import { BenchHome } from "./home.ts";
import { benches } from "./rows.ts";
import { printTable } from "./table.ts";

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(`no row ${unknown.join(", ")}; there are ${benches.map((bench) => bench.name).join(", ")}`);
  process.exit(2);
}

const say = (text: string) => void process.stderr.write(`${text}\n`);
const begun = new Date();
const [loadBefore] = loadavg();
const rows: (Row & { bench: string })[] = [];
const failures: string[] = [];
let shared: Promise<BenchHome> | undefined;
const context = { home: () => (shared ??= BenchHome.up()), say };

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void shared?.then((home) => home.destroy()).finally(() => process.exit(130)));
}
try {
  for (const bench of benches) {
    if (wanted.length > 0 && !wanted.includes(bench.name)) continue;
    say(`${bench.name} …`);
    try {
      for (const row of await bench.measure(context)) rows.push({ bench: bench.name, ...row });
    } catch (error) {
      failures.push(`${bench.name}: ${error instanceof Error ? error.message : String(error)}`);
      say(failures.at(-1)!);
    }
  }
} finally {
  await (await shared?.catch(() => undefined))?.destroy();
}

printTable(rows);
const load = { before: loadBefore!, after: loadavg()[0]! };
console.log(
  `\nload average ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after, on ${cpus().length} cores`,
);
if (load.before > cpus().length / 2)
  console.log("The machine was busy with other things: times are too long, and ratios noisy.");
const folder = join(checkout, "bench", "results");
const path = join(folder, `${begun.toISOString().slice(0, 19).replaceAll(":", "-")}.json`);
const machine = { cores: cpus().length, model: cpus()[0]?.model ?? "", load, node: process.version };
await mkdir(folder, { recursive: true });
await writeFile(path, `${JSON.stringify({ begun, ended: new Date(), machine, rows, failures }, null, 1)}\n`);
console.log(path.slice(checkout.length + 1));
process.exitCode = failures.length > 0 ? 1 : 0;
