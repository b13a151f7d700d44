import { statSync } from "node:fs";
import type { TestHome } from "./home.ts";

/**
 * Works as the user that the home belongs to, as the CLI does: what root would write there, the agent could not read.
 * Does nothing for anybody but root.
 */
export async function asOwnerOf<T>(home: TestHome, work: () => Promise<T>): Promise<T> {
  if (process.getuid!() !== 0) return work();
  const { uid, gid } = statSync(home.root);
  process.setegid!(gid);
  process.seteuid!(uid);
  try {
    return await work();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}
