import { expire } from "../../engines/pgbackrest/client.ts";
import { readCatalogue } from "../../site/backup-catalogue.ts";
import { keptNow } from "../../site/backup-retention.ts";
import type { Step } from "../operation.ts";

/**
 * What has had its day goes. What stays is worked out by us and handed to pgBackRest as a number: left to itself it would
 * count bad backups too, and drop the good ones behind them.
 */
export const expireBackups: Step<unknown> = {
  name: "expire",
  plan: () => "remove what the retention no longer keeps; never the last that was proven",
  async run({ site, signal }) {
    const gone: string[] = [];
    for (const catalogue of await readCatalogue(site, signal)) {
      // One that cannot be read is not cleaned up either.
      if (catalogue.trouble || catalogue.backups.length === 0) continue;
      const kept = keptNow(site, catalogue);
      await expire(site.topology, { repo: catalogue.repository.number, ...kept }, signal);
      gone.push(...kept.going);
    }
    return { says: gone.length > 0 ? `removed ${gone.join(", ")}` : "nothing has had its day" };
  },
  deadline: 700,
};
