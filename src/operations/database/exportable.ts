import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import type { DatabaseRow } from "../../engines/postgres/databases.ts";
import { isSystemDatabase } from "../../engines/postgres/names.ts";
import type { Session } from "../../engines/postgres/sessions.ts";
import { requireDatabase } from "../../site/find-database.ts";

/**
 * A database that may be handed out as a whole: one that we made. The platform's own holds who may do what, and of the
 * others nobody here may read a password either. @throws HomelabError `not_found`, `not_allowed`, `database_protected`
 */
export async function requireExportable(session: Session, name: string): Promise<DatabaseRow> {
  const row = await requireDatabase(session, name);
  if (isSystemDatabase(name))
    throw new HomelabError("database_protected", `${printable(name)} is the platform's own database`, {
      hint: "homelab db backup has it, with the whole cluster.",
    });
  if (row.anchor) return row;
  throw new HomelabError("not_allowed", `${printable(name)} was not made by homelab, so homelab does not hand it out`, {
    hint: "pg_dump does, with a login of that database.",
  });
}
