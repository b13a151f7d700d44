import { randomInt } from "node:crypto";
import { fuzz, fuzzHome } from "./run.ts";
import { isClean, reportText } from "./table.ts";

/** A whole number from the environment. */
function setting(name: string, otherwise: number): number {
  const value = Number(process.env[name] ?? otherwise);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`${name}: expected a whole number`);
  process.exit(2);
}

const requests = setting("HOMELAB_FUZZ_REQUESTS", 10_000);
const seed = setting("HOMELAB_FUZZ_SEED", randomInt(1, 2 ** 31 - 1_000_000));
const home = await fuzzHome();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void home.destroy().finally(() => process.exit(130)));
}
try {
  const report = await fuzz(home, { requests, seed });
  console.log(reportText(report));
  process.exitCode = isClean(report) ? 0 : 1;
} finally {
  await home.destroy();
}
