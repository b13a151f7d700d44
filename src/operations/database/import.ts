import { z } from "zod";
import type { Topology } from "../../cluster/topology.ts";
import { canRestrictPsql, foreignDumpRisk, formatVersion } from "../../cluster/versions.ts";
import { HomelabError } from "../../core/errors.ts";
import { formatBytes } from "../../core/units.ts";
import { checkExtensions } from "../../engines/postgres/extensions.ts";
import { loaderOf } from "../../engines/postgres/names.ts";
import { findRoles } from "../../engines/postgres/roles.ts";
import { exists, remove } from "../../host/files.ts";
import { freeBytes } from "../../host/machine.ts";
import { checkStored, dumpRepository, requireDump } from "../../site/dump-store.ts";
import { uploadId, uploadPath } from "../../site/uploads.ts";
import type { Guard, Operation, Step, StepContext } from "../operation.ts";
import { databaseName } from "./database-name.ts";
import { fillingSteps, requireEmpty, type Filling } from "./fill.ts";
import { guardNew } from "./for-new.ts";
import { extensionsOf, saysContents } from "./load-contents.ts";
import { fileSource, storedSource, type LoadSource } from "./load-source.ts";
import { databaseProvision } from "./provision.ts";
import { provisionInput, type ProvisionInput } from "./provision-input.ts";

const importInput = z.strictObject({
  name: databaseName,
  file: z.string().regex(uploadId, "expected the id of an upload").optional().describe("What was uploaded"),
  dump: z.string().max(60).optional().describe("The id of a dump that database.backup made"),
  trust_dump: z
    .boolean()
    .default(false)
    .describe("You made this dump yourself: PostgreSQL's programs here run what a crafted one tells them"),
});

export type ImportInput = z.infer<typeof importInput>;
type Context = StepContext<ImportInput>;

/** The new database as provisioning sees it. */
export const provisionFor = (name: string): ProvisionInput => provisionInput.parse({ name });

/** @throws HomelabError `input_invalid`, `not_found` */
async function sourceOf({ site, input: { file, dump } }: Context): Promise<LoadSource> {
  if (dump !== undefined) return storedSource(site, dump);
  const path = uploadPath(site.topology.paths, file!);
  if (await exists(path)) return fileSource(path);
  throw new HomelabError("not_found", "what was uploaded is no longer there", {
    hint: "homelab db import NAME FILE sends it again.",
  });
}

const hasOneSource: Guard<ImportInput> = async ({ input: { file, dump } }) => {
  if ((file === undefined) === (dump === undefined))
    throw new HomelabError("input_invalid", "expected either what was uploaded or the id of a dump");
};

/** A dump that we made, and nobody changed since, can be trusted. @throws HomelabError `version_refused` */
export function checkTrust(
  { versions }: Pick<Topology, "versions">,
  input: Pick<ImportInput, "dump" | "trust_dump">,
): void {
  const version = versions.postgresql;
  const risk = input.dump === undefined && !input.trust_dump ? foreignDumpRisk(version) : undefined;
  if (!risk) return;
  throw new HomelabError(
    "version_refused",
    `PostgreSQL ${formatVersion(version)} here: ${risk.says} (${risk.source})`,
    {
      hint: `If you made this dump yourself: --trust-dump. For others' dumps: apt upgrade, to ${risk.below} or later.`,
    },
  );
}

const dumpIsTrusted: Guard<ImportInput> = async ({ site, input }) => checkTrust(site.topology, input);

/** Nothing of the file is looked at that is not going to be refused already. */
const dumpFits: Guard<ImportInput> = async (context) => {
  const { site } = context;
  await hasOneSource(context);
  const { what, bytes } = await sourceOf(context);
  const version = site.topology.versions.postgresql;
  if (what.kind === "sql" && !canRestrictPsql(version))
    throw new HomelabError("version_refused", `psql ${formatVersion(version)} obeys commands in a file of SQL`, {
      hint: "Use pg_dump --format=custom, or a newer PostgreSQL.",
    });
  if (what.kind === "custom") {
    const admin = await (await site.postgres()).admin();
    await checkExtensions(admin, (await extensionsOf(admin, what.contents)).all);
  }
  checkRoom(site.topology.paths.postgresData, bytes);
};

/** A dump is smaller than what becomes of it; how much, it does not say. */
function checkRoom(path: string, bytes: number): void {
  const free = freeBytes(path);
  if (free > 2 * bytes) return;
  throw new HomelabError(
    "disk_short",
    `a dump of ${formatBytes(bytes)} needs more than the ${formatBytes(free)} that are free`,
    {
      hint: "Make some room, and try again.",
    },
  );
}

const isEmpty: Guard<ImportInput> = (context) => requireEmpty(context, context.input.name);

/** The login that fills it is ours alone. */
export const loaderIsFree =
  <In>(nameOf: (input: In) => string): Guard<In> =>
  async ({ input, site }) => {
    const role = loaderOf(nameOf(input));
    if (!(await findRoles(await (await site.postgres()).admin(), [role])).has(role)) return;
    throw new HomelabError("not_allowed", `the role ${role} exists and was not made by homelab`, {
      hint: "Choose another name, or rename that role.",
    });
  };

/** A dump of ours is proven to be what was written; what was uploaded is taken as it is. */
const checkDump: Step<ImportInput> = {
  name: "check-dump",
  plan: () => "read the dump from end to end",
  async run({ site, input, signal }) {
    if (input.dump === undefined) return { says: "it was read when it came" };
    const dump = await requireDump(site, input.dump);
    await checkStored(await dumpRepository(site), dump, signal);
    return { says: `${dump.database} as of ${dump.made_at}` };
  },
  // The upload goes with a failure, too.
  async undo({ site, input }) {
    if (input.file !== undefined) await remove(uploadPath(site.topology.paths, input.file));
  },
  deadline: 3600,
};

const removeUpload: Step<ImportInput> = {
  name: "remove-upload",
  plan: () => "remove what was uploaded",
  async run({ site, input }) {
    if (input.file !== undefined) await remove(uploadPath(site.topology.paths, input.file));
    return { says: input.file === undefined ? "there is nothing to remove" : "removed" };
  },
  deadline: 20,
};

const filling: Filling<ImportInput> = {
  provision: ({ name }) => provisionFor(name),
  source: sourceOf,
  async says(context) {
    const { what, bytes } = await sourceOf(context);
    const size = formatBytes(bytes);
    if (what.kind === "custom")
      return `load ${size}, dumped from ${what.contents.database}: ${saysContents(what.contents)}`;
    return `run ${size} of SQL as the owner${what.file.madeByPgDump ? "" : "; pg_dump did not make it, so nobody can tell whether it is whole"}`;
  },
};

/** Brings a dump into a new database, or an empty one. */
export const databaseImport: Operation<ImportInput> = {
  name: "database.import",
  summary: "Bring a dump into a new database, or an empty one; everything in it becomes its owner's",
  title: ({ name }) => `Import into database ${name}`,
  scope: "provision",
  route: { method: "POST", path: "/api/databases/{name}/import" },
  command: "db import",
  input: importInput,
  locks: ({ name }) => [`cluster/database/${name}`],
  guards: [
    hasOneSource,
    ...databaseProvision.guards.map((guard) => guardNew<ImportInput>(guard, filling.provision)),
    isEmpty,
    loaderIsFree(({ name }) => name),
    dumpIsTrusted,
    dumpFits,
  ],
  steps: [checkDump, ...fillingSteps(filling), removeUpload],
  result: async ({ input, output }) => ({
    database: input.name,
    ...output<{ tables: number; rows: number }>("count-contents"),
  }),
};
