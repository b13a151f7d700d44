/**
 * What we know of a database that we made, kept as a comment on its app role: a tenant cannot change it (COMMENT ON
 * ROLE needs more than a tenant has), it travels with every base backup, and it marks what is ours.
 */
export interface Anchor {
  database: string;
  owner: string;
  protected: boolean;
  createdAt: string;
  /** While a rotation is under way: which login is the old one, and until when it works. */
  rotation?: { old: string; until: string };
  /** While the database is deleted but not gone. */
  deleted?: { name: string; at: string; until: string; dump: string; connectionLimit: number };
  /** While it waits beside the database that it was restored from. Its roles are that one's; nobody logs in to it. */
  restored?: Restored;
  /** While it is kept because another took its place. */
  replaced?: { of: string; at: string; until: string; by: Restored };
}

/** Where a restored database comes from. */
export type Restored = {
  /** The name that it would take the place of. */
  of: string;
  /** The name that it waits under. */
  name: string;
  at: string;
  /** The moment that it is of, where that is known. */
  asOf: string | null;
  backup: string;
};

const MARK = "homelab ";

export const anchorComment = (anchor: Anchor): string => MARK + JSON.stringify(anchor);

/** Reads a role's comment; undefined when it is not one of ours. */
export function readAnchor(comment: string | null): Anchor | undefined {
  if (!comment?.startsWith(`${MARK}{`)) return undefined;
  try {
    return JSON.parse(comment.slice(MARK.length)) as Anchor;
  } catch {
    return undefined;
  }
}
