import { readdirSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pidsOf } from "./engines.ts";
import { askAsSuperuser } from "./clients.ts";
import type { TestHome } from "./home.ts";
import { runAny } from "../../src/host/run.ts";
import { readInstallation } from "../../src/site/installation.ts";

/** Everything that a restore may leave behind, by its name; nothing, when all is well. */
export async function leftOfRestores(home: TestHome): Promise<string[]> {
  const names = await askAsSuperuser<{ name: string }>(
    home,
    "SELECT datname AS name FROM pg_database WHERE datname LIKE 'restoring-%' UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'restoring-%'",
  );
  return [
    ...readdirSync(home.paths.scratch).map((name) => `scratch/${name}`),
    ...readdirSync(home.paths.run)
      .filter((name) => /^x[0-9a-z]$/.test(name))
      .map((name) => `run/${name}`),
    ...pidsOf(home.paths.scratch).map((pid) => `process ${pid}`),
    ...names.map(({ name }) => name),
  ];
}

/** What a database is made of, as pg_dump writes it: owners, grants, settings and all, but no rows. */
export async function schemaOf(home: TestHome, database: string): Promise<string> {
  const { machine } = (await readInstallation(home.paths))!;
  const { stdout, stderr, exitCode } = await runAny({
    argv: [
      join(machine.programs.postgresBin, "pg_dump"),
      "--schema-only",
      "--create",
      `--dbname=host=${home.paths.run} port=${home.port(5431)} user=postgres dbname=${database}`,
    ],
    env: { PATH: process.env["PATH"]!, PGPASSWORD: await home.secret("superuser") },
  });
  if (exitCode !== 0) throw new Error(stderr);
  return stdout
    .replaceAll(new RegExp(`\\b${database}\\b`, "g"), "DATABASE")
    .split("\n")
    .filter((line) => line !== "" && !/^\\(un)?restrict |CONNECTION LIMIT/.test(line))
    .join("\n");
}

/** Puts a file system of a few megabytes in a folder's place; false where that is not allowed. */
export async function mountSmall(folder: string): Promise<boolean> {
  const { uid, gid } = await stat(folder);
  const options = `size=16m,mode=700,uid=${uid},gid=${gid}`;
  return (await runAny({ argv: ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder] })).exitCode === 0;
}

/** The files of a segment in the local repository. */
export async function segmentFiles(home: TestHome, segment: string): Promise<string[]> {
  const files = await readdir(home.paths.backups, { recursive: true });
  return files.filter((path) => path.includes(`/${segment}-`)).map((path) => join(home.paths.backups, path));
}

/** Loses a segment of the log, as a disk might. */
export async function removeSegment(home: TestHome, segment: string): Promise<void> {
  for (const path of await segmentFiles(home, segment)) await rm(path);
}
