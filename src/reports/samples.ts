import { readJson } from "../host/files.ts";
import type { HomePaths } from "../cluster/home.ts";

/** What the agent's sampler measured last. */
export interface Samples {
  at: string;
  /** Bytes by the database's oid: a renamed one keeps its size, a new one of the same name gets its own. */
  sizes: Record<string, number>;
}

export const readSamples = (paths: HomePaths): Promise<Samples | undefined> =>
  readJson<Samples>(paths.samples).catch(() => undefined);
