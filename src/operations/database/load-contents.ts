import type { ArchiveContents, ArchiveEntry } from "../../engines/postgres/archive-format.ts";
import { POOLER_SCHEMA } from "../../engines/postgres/dump.ts";
import { untrustedAmong } from "../../engines/postgres/extensions.ts";
import type { Session } from "../../engines/postgres/sessions.ts";

/** The extensions that an archive needs; an owner may make trusted ones, the others are made for him beforehand. */
export async function extensionsOf(
  session: Session,
  { entries }: ArchiveContents,
): Promise<{ all: string[]; untrusted: string[] }> {
  const all = entries.filter(({ kind }) => kind === "EXTENSION").map(({ tag }) => tag);
  return { all, untrusted: await untrustedAmong(session, all) };
}

/**
 * Left out are what belongs to the pooler of the server that was dumped, and the comments on extensions that are not the
 * owner's.
 */
export function isWanted({ kind, tag, schema }: ArchiveEntry, untrusted: string[]): boolean {
  if (schema === POOLER_SCHEMA || (kind === "SCHEMA" && tag === POOLER_SCHEMA)) return false;
  if (kind === "COMMENT" && tag === `SCHEMA ${POOLER_SCHEMA}`) return false;
  return !(kind === "COMMENT" && untrusted.some((name) => tag === `EXTENSION ${name}`));
}

/** What a person wants to know of a dump: `12 tables, 3 views, the extension pg_trgm`. */
export function saysContents({ entries }: ArchiveContents): string {
  const count = (kind: string) => entries.filter((entry) => entry.kind === kind).length;
  const kinds: [string, string][] = [
    ["TABLE", "tables"],
    ["VIEW", "views"],
    ["MATERIALIZED VIEW", "materialised views"],
    ["FUNCTION", "functions"],
    ["SEQUENCE", "sequences"],
  ];
  const counted = kinds.filter(([kind]) => count(kind) > 0).map(([kind, word]) => `${count(kind)} ${word}`);
  const extensions = entries.filter(({ kind }) => kind === "EXTENSION").map(({ tag }) => tag);
  if (extensions.length > 0) counted.push(`extensions ${extensions.join(", ")}`);
  return counted.join(", ") || "nothing";
}
