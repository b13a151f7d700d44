import { HomelabError } from "../core/errors.ts";
import type { PageQuery } from "./endpoint.ts";

/** One page of a list, as every list of the API answers it. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  total: number;
}

/** Where a page ended: the sort key and the identity of its last item. */
type Mark = [sortValue: string | number | boolean | null, identity: string];

/**
 * Cuts one page out of a whole list. A cursor names the item behind which it goes on, so nothing is shown twice or
 * left out because something else came or went meanwhile.
 * @throws HomelabError `input_invalid` for a cursor that is none of ours
 */
export function paginate<T extends object>(
  all: readonly T[],
  query: Omit<PageQuery, "sort"> & { sort?: string },
  identity: keyof T,
): Page<T> {
  const descending = query.sort?.startsWith("-") === true;
  const field = (query.sort?.replace(/^-/, "") ?? identity) as keyof T;
  const mark = (item: T): Mark => [item[field] as Mark[0], String(item[identity])];
  const order = (a: Mark, b: Mark) => (compare(a[0], b[0]) || compare(a[1], b[1])) * (descending ? -1 : 1);
  const sorted = query.sort ? all.toSorted((a, b) => order(mark(a), mark(b))) : all;
  const start =
    query.cursor === undefined
      ? 0
      : startBehind(sorted, readCursor(query.cursor), mark, order, query.sort !== undefined);
  const items = sorted.slice(start, start + query.limit);
  const more = start + query.limit < sorted.length;
  return { items, next_cursor: more ? writeCursor(mark(items.at(-1)!)) : null, total: all.length };
}

function startBehind<T>(
  sorted: readonly T[],
  at: Mark,
  mark: (item: T) => Mark,
  order: (a: Mark, b: Mark) => number,
  isSorted: boolean,
): number {
  // In the list's own order there is nothing to compare by: the item itself is looked for.
  const index = isSorted
    ? sorted.findIndex((item) => order(mark(item), at) > 0)
    : sorted.findIndex((item) => mark(item)[1] === at[1]) + 1;
  return index === -1 ? sorted.length : index;
}

/** Null comes first; texts by their code points, so that the order is the same everywhere. */
function compare(a: Mark[0], b: Mark[0]): number {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  return a < b ? -1 : 1;
}

const writeCursor = (mark: Mark): string => Buffer.from(JSON.stringify(mark)).toString("base64url");

function readCursor(text: string): Mark {
  try {
    const mark = JSON.parse(Buffer.from(text, "base64url").toString()) as unknown;
    if (Array.isArray(mark) && mark.length === 2 && typeof mark[1] === "string" && typeof mark[0] !== "object")
      return mark as Mark;
    if (Array.isArray(mark) && mark[0] === null && typeof mark[1] === "string") return mark as Mark;
  } catch {
    // Not one of ours; said below.
  }
  throw new HomelabError("input_invalid", "cursor: not a cursor of this list", {
    hint: "Pass next_cursor of the page before as it was.",
    errors: [{ field: "cursor", message: "not a cursor of this list" }],
  });
}
