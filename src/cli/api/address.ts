import { HomelabError } from "../../core/errors.ts";
import type { Route } from "./contract.ts";

/** The input of a route of which nothing else is known. */
export interface AnyInput {
  params?: object;
  query?: object;
}

/** A route's method and its path, with everything in it that a caller gave. */
export function addressOf(route: Route, { params, query }: AnyInput): { method: string; path: string } {
  const [method, pattern] = route.split(" ") as [string, string];
  const path = pattern.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String((params as Record<string, unknown> | undefined)?.[name]);
    // It would be another route.
    if (value === "") throw new HomelabError("usage", `the ${name} is empty`);
    return encodeURIComponent(value);
  });
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return { method, path: search ? `${path}?${search}` : path };
}
