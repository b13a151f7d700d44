import type { Site } from "../site/site.ts";
import { databaseSizes } from "../engines/postgres/databases.ts";
import { writeAtomic } from "../host/files.ts";
import type { Samples } from "../reports/samples.ts";

/** Measures what is too dear to measure while somebody waits: the sizes of the databases. */
export async function sample(site: Site): Promise<void> {
  const session = await (await site.postgres()).monitor();
  const samples: Samples = { at: new Date(site.clock.now()).toISOString(), sizes: await databaseSizes(session) };
  await writeAtomic(site.topology.paths.samples, JSON.stringify(samples));
}
