import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import { exists, readJson, remove, writeAtomic } from "../host/files.ts";

/** A role and its password. */
interface Credential {
  user: string;
  password: string;
}

/** The logins of one database, in a closed file of its own: nothing else in the platform keeps a password of an app. */
export interface Credentials {
  database: string;
  app: Credential;
  read_only: Credential;
  /** Made by a rotation that has not changed over yet. */
  next?: Credential;
  /** The login of before a rotation, and until when it works. */
  previous?: Credential & { until: string };
}

/** A database's name is a file's name here only once it was checked, or percent-encoded. */
export const credentialsPath = (paths: HomePaths, database: string): string =>
  join(paths.credentials, `${encodeURIComponent(database)}.json`);

export const readCredentials = (paths: HomePaths, database: string): Promise<Credentials | undefined> =>
  readJson<Credentials>(credentialsPath(paths, database));

export const writeCredentials = (paths: HomePaths, credentials: Credentials): Promise<void> =>
  writeAtomic(credentialsPath(paths, credentials.database), `${JSON.stringify(credentials, null, 2)}\n`);

export const removeCredentials = (paths: HomePaths, database: string): Promise<void> =>
  remove(credentialsPath(paths, database));

/** Whether the file of `from` is already at `to`. */
export const areMoved = async (paths: HomePaths, from: string, to: string): Promise<boolean> =>
  !(await exists(credentialsPath(paths, from))) && (await exists(credentialsPath(paths, to)));

/** Keeps a database's credentials under its other name. Repeatable. */
export async function moveCredentials(paths: HomePaths, from: string, to: string): Promise<void> {
  if (await exists(credentialsPath(paths, from)))
    await rename(credentialsPath(paths, from), credentialsPath(paths, to));
}
