import { HomelabError } from "../../../core/errors.ts";
import { didYouMean, printable } from "../../../core/text.ts";
import { formatBytes } from "../../../core/units.ts";
import {
  describeDatabase,
  installedExtensions,
  ownTables,
  type DescribedDatabase,
  type InstalledExtension,
  type TableName,
} from "../../../engines/postgres/described.ts";
import { inScratch } from "../../../site/scratch.ts";
import type { Step, StepContext } from "../../operation.ts";
import type { RestoreInput } from "./input.ts";
import { openScratch } from "./open-scratch.ts";

/** What was found in scratch, and is to be in the new database. */
export type Restored = {
  described: DescribedDatabase;
  extensions: InstalledExtension[];
  /** All tables that are moved. */
  tables: TableName[];
};

export const restoredOf = ({ output }: Pick<StepContext<unknown>, "output">): Restored =>
  output<Restored>("check-restored")!;

/** Only the wished tables, of all that there are. @throws HomelabError `not_found` */
function pickTables(all: TableName[], wished: string[]): TableName[] {
  if (wished.length === 0) return all;
  return wished.flatMap((wish) => {
    const found = all.filter(({ schema, name }) => wish === name || wish === `${schema}.${name}`);
    if (found.length > 0) return found;
    const meant = didYouMean(
      wish,
      all.map(({ name }) => name),
    );
    throw new HomelabError("not_found", `there was no table ${printable(wish)} then`, {
      hint: meant ? `Did you mean ${meant}?` : "As name or schema.name, exactly as it is spelled.",
    });
  });
}

/** That it is there and can be read, before anything of the live cluster is touched. */
export const checkRestored: Step<RestoreInput> = {
  name: "check-restored",
  plan: ({ input }) => `look whether ${input.database} is in it, and can be read`,
  async run(context) {
    const { input, site, runId } = context;
    await openScratch(context);
    const described = await inScratch(site, runId, "postgres", (session) => describeDatabase(session, input.database));
    const [tables, extensions] = await inScratch(site, runId, input.database, async (session) => [
      pickTables(await ownTables(session), input.tables),
      await installedExtensions(session),
    ]);
    const output: Restored = { described: described!, tables, extensions };
    return { says: `${tables.length} tables, ${formatBytes(described!.bytes)}`, output };
  },
  deadline: 300,
};
