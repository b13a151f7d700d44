import { loadPlatformRecords, platformWish } from "../../../site/platform-records.ts";
import type { Step } from "../../operation.ts";
import type { Kept } from "./keep-records.ts";
import { withinClosed } from "./reach-target.ts";

/** The platform's records as they were a moment ago, in the cluster of another moment. */
export const bringBackRecords: Step<unknown> = {
  name: "bring-back-records",
  plan: () => "put the platform's own records back as they are now",
  async run(context) {
    const { site, signal, output } = context;
    const wish = await platformWish(site);
    if (!wish) return { says: "the platform's records are kept elsewhere" };
    const dump = output<Kept>("keep-records")?.dump ?? null;
    await withinClosed(context, (sessions, topology) =>
      loadPlatformRecords(site, sessions, { topology, dump, wish }, signal),
    );
    return { says: dump ? "users, keys, audit log and operations are as they were" : "the hubs bring what they have" };
  },
  deadline: 900,
};
