import { z } from "zod";
import type { Topology } from "../../cluster/topology.ts";
import { pgbackrest } from "./client.ts";

const contentsSchema = z.array(
  z.object({
    backup: z.array(z.object({ "database-ref": z.array(z.object({ name: z.string(), oid: z.number() })).nullish() })),
  }),
);

/** The databases that a backup has, by name, with their oids; those made by WAL behind it are not among them. */
export async function databasesIn(
  topology: Topology,
  { repo, label }: { repo: number; label: string },
  signal?: AbortSignal,
): Promise<Map<string, string>> {
  const options = { output: "json", repo, set: label };
  const found = contentsSchema.parse(JSON.parse(await pgbackrest(topology, "info", options, { signal, timeout: 60 })));
  const databases = found[0]?.backup[0]?.["database-ref"] ?? [];
  return new Map(databases.map(({ name, oid }) => [name, String(oid)]));
}
