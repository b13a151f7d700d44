import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { join } from "node:path";
import { waitUntil } from "../../core/clock.ts";
import * as ddl from "../../engines/postgres/ddl.ts";
import { restoreCommand, sqlCommand } from "../../engines/postgres/dump.ts";
import { succeeded } from "../../engines/postgres/dump-stream.ts";
import { emptyAgain, firstObject } from "../../engines/postgres/emptiness.ts";
import { loaderEnvironment } from "../../engines/postgres/loader.ts";
import { loaderOf, rolesOf } from "../../engines/postgres/names.ts";
import { endRoleSessions } from "../../engines/postgres/roles.ts";
import { restricted } from "../../engines/postgres/sql-file.ts";
import { remove, writeAtomic } from "../../host/files.ts";
import { pipe } from "../../host/run.ts";
import type { StepContext } from "../operation.ts";
import { extensionsOf, isWanted } from "./load-contents.ts";
import type { LoadSource } from "./load-source.ts";

/** A program that outlived us would go on filling. */
export async function endLoader({ site, signal }: StepContext<unknown>, database: string): Promise<void> {
  const admin = await (await site.postgres()).admin();
  const quiet = async () => (await endRoleSessions(admin, loaderOf(database))) === 0;
  await waitUntil(quiet, { timeout: 30, every: 100, signal, what: `nobody fills ${database} any more` });
}

/** A database that is filled, and who owns what is in it. */
export interface Target {
  database: string;
  owner: string;
}

/** Empty, with what the owner may not make by himself, and with nobody at it but us. */
export async function makeReady(context: StepContext<unknown>, { database, owner }: Target, { what }: LoadSource) {
  const sessions = await context.site.postgres();
  await endLoader(context, database);
  if (await sessions.within(database, firstObject))
    await sessions.within(database, (inside) => emptyAgain(inside, owner));
  // What the owner makes from here on can be read by the readers' role, in every schema.
  const extensions = what.kind === "custom" ? await extensionsOf(await sessions.admin(), what.contents) : undefined;
  await sessions.within(database, (inside) =>
    inside.transaction([
      ...ddl.schemaPrivileges(owner, rolesOf(database).readOnly),
      ...(extensions?.untrusted ?? []).map(ddl.createExtension),
    ]),
  );
}

/** Runs the dump as the loader. @throws HomelabError `process_failed` with the words of the program that ran it */
export async function load(context: StepContext<unknown>, target: Target, source: LoadSource): Promise<void> {
  const { site, signal, runId, progress } = context;
  const { topology } = site;
  const as = { ...target, user: loaderOf(target.database) };
  const env = loaderEnvironment(topology, target.database);
  let done = 0;
  let told = 0;
  const dump = source.open((bytes) => {
    done += bytes;
    if (Date.now() - told < 500) return;
    told = Date.now();
    progress({ done, total: source.bytes, unit: "bytes" });
  });
  // What is read fast may be worked on for long: an index is built after the last byte.
  const alive = setInterval(() => progress({ done, total: source.bytes, unit: "bytes" }), 5000);
  const list = join(topology.paths.run, `load-${runId}.list`);
  try {
    if (source.what.kind === "sql") {
      const program = pipe({ argv: sqlCommand(topology, as), env, signal });
      program.stdout.resume();
      await feed(restricted(dump, source.what.file), program);
      await succeeded(program, "psql", SQL_HINT);
    } else {
      const { contents } = source.what;
      const { untrusted } = await extensionsOf(await (await site.postgres()).admin(), contents);
      const wanted = contents.entries.filter((entry) => isWanted(entry, untrusted));
      await writeAtomic(list, wanted.map(({ id }) => `${id};\n`).join(""));
      const program = pipe({ argv: restoreCommand(topology, as, list), env, signal });
      program.stdout.resume();
      await feed(dump, program);
      await succeeded(
        program,
        "pg_restore",
        "Nothing of it stays. What it needs and only a superuser may, has to go before the dump is made.",
      );
    }
  } finally {
    clearInterval(alive);
    await remove(list);
  }
}

const SQL_HINT =
  "Nothing of it stays. pg_dump --format=custom, or --no-owner --no-privileges for SQL, makes a dump that names no roles.";

/** A program that ends before it has read everything says why by itself; a dump that cannot be read is told here. */
async function feed(dump: AsyncIterable<Uint8Array>, { stdin }: { stdin: NodeJS.WritableStream }): Promise<void> {
  let fault: unknown;
  async function* read() {
    try {
      yield* dump;
    } catch (error) {
      fault = error;
      throw error;
    }
  }
  await pipeline(Readable.from(read()), stdin).catch(() => {});
  if (fault) throw fault;
}
