import type { Health } from "../core/health.ts";
import { kitStatus } from "../site/kit-state.ts";
import type { Site } from "../site/site.ts";

/**
 * Whether a lost machine could be had back. A home without a kit is as healthy as one with: it is advice, and no alarm
 * that would be there from the first minute on, and so be overlooked from the second.
 */
export async function kitHealth({ topology }: Pick<Site, "topology">): Promise<Health> {
  const { made_at, tested_at, reason } = await kitStatus(topology.paths);
  const facts = { made_at, tested_at, outdated: reason !== null };
  if (reason) return { state: "ok", says: reason, facts, hint: "homelab platform kit makes one. Keep it elsewhere." };
  if (tested_at) return { state: "ok", says: `made ${made_at}, tried ${tested_at}`, facts };
  const hint = "homelab platform kit --test FILE tries whether it opens the backups.";
  return { state: "ok", says: `made ${made_at}, never tried`, facts, hint };
}
