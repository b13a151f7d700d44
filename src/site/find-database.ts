import { HomelabError } from "../core/errors.ts";
import { didYouMean, printable } from "../core/text.ts";
import { listDatabases, type DatabaseRow } from "../engines/postgres/databases.ts";
import { isSystemDatabase } from "../engines/postgres/names.ts";
import type { Session } from "../engines/postgres/sessions.ts";

/** A database of ours by its name, deleted ones left out. @throws HomelabError `not_found`, with the nearest name */
export async function requireDatabase(session: Session, name: string): Promise<DatabaseRow> {
  const rows = (await listDatabases(session)).filter((row) => !row.anchor?.deleted);
  const found = rows.find((row) => row.name === name);
  if (found) return found;
  const meant = didYouMean(
    name,
    rows.map((row) => row.name),
  );
  throw new HomelabError("not_found", `there is no database ${printable(name)}`, {
    hint: meant ? `Did you mean ${meant}?` : "homelab db list shows them.",
  });
}

/** A database that we made: what others made is shown, and never changed. */
export async function requireOurs(
  session: Session,
  name: string,
): Promise<DatabaseRow & { anchor: NonNullable<DatabaseRow["anchor"]> }> {
  const row = await requireDatabase(session, name);
  if (isSystemDatabase(name)) {
    throw new HomelabError("database_protected", `${name} is the platform's own database`, {
      hint: "It goes when the installation goes.",
    });
  }
  if (!row.anchor) {
    throw new HomelabError("not_allowed", `${printable(name)} was not made by homelab, so homelab does not change it`, {
      hint: "homelab db-shell opens it for you.",
    });
  }
  return { ...row, anchor: row.anchor };
}

/** The newest deleted database that had this name. @throws HomelabError `not_found` */
export async function requireDeleted(
  session: Session,
  name: string,
): Promise<DatabaseRow & { anchor: NonNullable<DatabaseRow["anchor"]> }> {
  const deleted = (await listDatabases(session)).filter(
    (row) => row.anchor?.deleted && [row.anchor.database, row.name].includes(name),
  );
  const newest = deleted.sort((a, b) => (a.anchor!.deleted!.at < b.anchor!.deleted!.at ? 1 : -1))[0];
  if (!newest) {
    throw new HomelabError("not_found", `no deleted database was called ${printable(name)}`, {
      hint: "homelab db list --deleted shows them.",
    });
  }
  return { ...newest, anchor: newest.anchor! };
}
