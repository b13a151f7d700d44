import { join } from "node:path";
import { run } from "../../src/host/run.ts";
import { checkout } from "../harness/home.ts";
import { atMostMore, makeRow, type Bench } from "./bench.ts";
import { inTurns, median, timed } from "./statistics.ts";

const TIMES = 30;

/** What the launcher and our own code add to the start of Node. */
export const launcher: Bench = {
  name: "launcher",
  async measure() {
    const launch = (...argv: [string, ...string[]]) => timed(() => run({ argv }));
    const ours = () => launch(join(checkout, "homelab"), "--version");
    const bare = () => launch(process.execPath, "-e", "0");
    // The first start may bundle.
    await ours();
    const values = await inTurns(TIMES, { bare, ours });
    const more = (median(values.ours) - median(values.bare)).toFixed(1);
    return [
      makeRow("./homelab --version / node -e 0", "ms", values, atMostMore(30, "ms"), `${more} ms more than Node alone`),
    ];
  },
};
