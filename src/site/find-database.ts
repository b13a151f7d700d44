import { HomelabError } from "../core/errors.ts";
import { didYouMean, printable } from "../core/text.ts";
import type { Anchor } from "../engines/postgres/anchor.ts";
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
  const { restored, replaced } = row.anchor;
  const of = restored?.of ?? replaced?.of;
  if (of) {
    throw new HomelabError(
      "not_allowed",
      `${name} ${restored ? "was restored from" : "is kept for"} ${of}, and no app uses it`,
      {
        hint: restored
          ? `homelab db switch-to ${name} puts it to use, homelab db discard ${name} drops it.`
          : `homelab db switch-back ${of} puts it to use again, homelab db discard ${name} drops it.`,
      },
    );
  }
  return { ...row, anchor: row.anchor };
}

type Anchored<Part extends keyof Anchor> = DatabaseRow & { anchor: Anchor & Required<Pick<Anchor, Part>> };

/** A database that stands beside another one: restored from it, or replaced by such a one. @throws HomelabError `not_found`, `not_allowed` */
export async function requireBeside(session: Session, name: string): Promise<DatabaseRow & { anchor: Anchor }> {
  const row = await requireDatabase(session, name);
  if (row.anchor?.restored || row.anchor?.replaced) return { ...row, anchor: row.anchor };
  throw new HomelabError("not_allowed", `${printable(name)} stands beside no other database`, {
    hint: "homelab db list-restores shows those that do.",
  });
}

/** A restored database that waits to be put to use. @throws HomelabError `not_found`, `not_allowed` */
export async function requireRestored(session: Session, name: string): Promise<Anchored<"restored">> {
  const row = await requireBeside(session, name);
  if (row.anchor.restored) return row as Anchored<"restored">;
  throw new HomelabError("not_allowed", `${printable(name)} was replaced, not restored`, {
    hint: `homelab db switch-back ${row.anchor.replaced!.of} puts it to use again.`,
  });
}

/** The newest database that is kept from before a switch. @throws HomelabError `not_found` */
export async function requireReplaced(session: Session, of: string): Promise<Anchored<"replaced">> {
  const kept = (await listDatabases(session)).filter(
    (row) => row.anchor?.replaced?.of === of,
  ) as Anchored<"replaced">[];
  const newest = kept.sort((a, b) => (a.anchor.replaced.at < b.anchor.replaced.at ? 1 : -1))[0];
  if (newest) return newest;
  throw new HomelabError("not_found", `nothing is kept that ${printable(of)} replaced`, {
    hint: "homelab db list-restores shows what is.",
  });
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
