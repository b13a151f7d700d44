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
}

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
