import { hkdfSync } from "node:crypto";
import { z } from "zod";
import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import { applyMasks, type MaskedTable } from "../../engines/postgres/apply-masks.ts";
import { databaseExists } from "../../engines/postgres/databases.ts";
import { listColumns, matchRules, unmasked } from "../../engines/postgres/masking.ts";
import { requireSpace } from "../../host/space.ts";
import { requireOurs } from "../../site/find-database.ts";
import type { Site } from "../../site/site.ts";
import type { Guard, Operation, StepContext } from "../operation.ts";
import {
  bringBack,
  bytesOfThen,
  chooseBackup,
  copyFile,
  copyOut,
  removeCopy,
  sizeOf,
  type Then,
} from "./branch-copy.ts";
import { databaseName } from "./database-name.ts";
import { fillingSteps, type Filling } from "./fill.ts";
import { guardNew } from "./for-new.ts";
import { loaderIsFree, provisionFor } from "./import.ts";
import { fileSource } from "./load-source.ts";
import { maskRules } from "./mask-rules.ts";
import { databaseProvision } from "./provision.ts";

const branchInput = z.strictObject({
  name: databaseName.describe("The database that is copied"),
  new_name: databaseName.describe("The copy"),
  at: z.string().max(60).optional().describe("As it was at this moment; as it is now by default"),
  mask: maskRules.default({}),
});

type BranchInput = z.infer<typeof branchInput>;
type Context = StepContext<BranchInput>;

const sourceIsOurs: Guard<BranchInput> = async ({ site, input }) => {
  await requireOurs(await (await site.postgres()).admin(), input.name);
};

const thenCanBeHad: Guard<BranchInput> = async (context) => {
  await bytesOfThen(context);
};

/** A branch is never laid over anything, an empty database included: somebody may just have made it. */
const targetIsFree: Guard<BranchInput> = async ({ site, input }) => {
  if (!(await databaseExists(await (await site.postgres()).admin(), input.new_name))) return;
  throw new HomelabError("database_exists", `the database ${printable(input.new_name)} exists`, {
    hint: "Take another name for the branch.",
  });
};

/** What the rules come to in the database that they are for. @throws HomelabError `input_invalid` */
async function matched({ site, input }: Context, database: string) {
  const columns = await (await site.postgres()).within(database, listColumns);
  const { masks, faults } = matchRules(input.mask, columns);
  if (faults.length === 0) return { masks, left: unmasked(columns, masks) };
  throw new HomelabError("input_invalid", faults.map(printable).join("; "), {
    hint: "Nothing was copied. Rules name a table, or schema.table, and its columns.",
    errors: faults.slice(0, 20).map((message) => ({ field: "mask", message: printable(message) })),
  });
}

const rulesFit: Guard<BranchInput> = async (context) => {
  const { site, input } = context;
  // Another guard tells that it is not there.
  if (!(await databaseExists(await (await site.postgres()).admin(), input.name))) return;
  await matched(context, input.name);
};

/** What a branch takes for a while: the database once more, its dump, and for a moment of the past the whole cluster. */
const roomIsThere: Guard<BranchInput> = async (context) => {
  const { site, input } = context;
  const { paths } = site.topology;
  const bytes = await sizeOf(site, input.name);
  requireSpace(`a branch of ${printable(input.name)}`, [
    { path: paths.postgresData, bytes },
    // It is compressed, and smaller than what it is of.
    { path: paths.scratch, bytes: bytes + (await bytesOfThen(context)) },
  ]);
};

/** The same value has the same hash in every branch of this installation, and tells nothing to whoever lacks its secrets. */
async function hashKey(site: Site): Promise<string> {
  const { hub_seal } = await site.secrets();
  return Buffer.from(hkdfSync("sha256", hub_seal.reveal(), "", "homelab masking", 32)).toString("hex");
}

const filling: Filling<BranchInput> = {
  provision: ({ new_name }) => provisionFor(new_name),
  source: ({ site, runId }) => fileSource(copyFile(site, runId)),
  async says(context) {
    const { input } = context;
    const { masks, left } = await matched(context, input.name);
    const masked = masks.length > 0 ? `, and mask ${masks.length} columns` : "";
    const warning = left.length > 0 ? `. NOT masked, though their names look personal: ${left.join(", ")}` : "";
    return `load it into ${input.new_name}${masked}${warning}`;
  },
  async afterwards(context, client) {
    const { site, input, progress } = context;
    const { masks, left } = await matched(context, input.new_name);
    const tables = new Set(masks.map(({ column }) => `${column.schema}.${column.table}`)).size;
    const done = await applyMasks(client, masks, await hashKey(site), (count) =>
      progress({ done: count, total: tables, unit: "steps" }),
    );
    const rows = done.reduce((sum, table) => sum + table.rows, 0);
    const says = masks.length > 0 ? `${masks.length} columns masked in ${rows} rows` : "nothing masked";
    return { says, output: { masked: done.map((table) => ({ ...table })), not_masked: left } };
  },
};

/** What was masked, and what looks as if it should have been. */
type Masked = {
  masked: Pick<MaskedTable, keyof MaskedTable>[];
  not_masked: string[];
};

/** A copy of a database for whoever tries something out, with roles and passwords of its own. */
export const databaseBranch: Operation<BranchInput> = {
  name: "database.branch",
  summary: "Copy a database under a new name, with roles of its own; columns can be masked",
  title: ({ name, new_name }) => `Branch ${new_name} off database ${name}`,
  scope: "provision",
  route: { method: "POST", path: "/api/databases/{name}/branches" },
  command: "db branch",
  input: branchInput,
  locks: ({ new_name }) => [`cluster/database/${new_name}`],
  guards: [
    sourceIsOurs,
    ...databaseProvision.guards.map((guard) => guardNew<BranchInput>(guard, filling.provision)),
    targetIsFree,
    loaderIsFree(({ new_name }) => new_name),
    rulesFit,
    thenCanBeHad,
    roomIsThere,
  ],
  steps: [chooseBackup, bringBack, copyOut, ...fillingSteps(filling), removeCopy],
  result: async ({ input, output }) => ({
    database: input.new_name,
    branched_from: input.name,
    as_of: output<Then>("choose-backup")?.as_of ?? null,
    ...output<{ tables: number; rows: number }>("count-contents"),
    ...(output("fill-database") as Masked | undefined),
  }),
};
