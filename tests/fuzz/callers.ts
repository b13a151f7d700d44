import type { Scope } from "../../src/core/scope.ts";

/** Who sends a request: keys of three kinds, a browser that is signed in, somebody with a wrong key, and nobody. */
export type CallerName = "admin" | "read" | "operate" | "browser" | "wrong" | "none";

/** How often each one asks. */
export const CALLERS: readonly { name: CallerName; weight: number }[] = [
  { name: "admin", weight: 8 },
  { name: "read", weight: 2 },
  { name: "operate", weight: 2 },
  { name: "browser", weight: 2 },
  { name: "wrong", weight: 1 },
  { name: "none", weight: 1 },
];

const SCOPES: Record<CallerName, readonly Scope[]> = {
  admin: ["admin"],
  read: ["read"],
  operate: ["operate"],
  browser: ["admin"],
  wrong: [],
  none: [],
};

/** Whether the document lets a caller in. */
export function isAllowed(caller: CallerName, scope: Scope | null): boolean {
  const has = SCOPES[caller];
  return scope === null || has.includes("admin") || has.includes(scope) || (scope === "read" && has.length > 0);
}

/** What the callers show. */
export class Callers {
  readonly #keys: Record<"admin" | "read" | "operate", string>;
  /** The cookie of the browser. */
  session = "";

  constructor(keys: Record<"admin" | "read" | "operate", string>) {
    this.#keys = keys;
  }

  headers(caller: CallerName, variant: number): Record<string, string> {
    if (caller === "none") return {};
    if (caller === "browser") return { cookie: this.session };
    const key = caller === "wrong" ? this.#wrongKey(variant) : this.#keys[caller];
    return variant % 4 === 0 ? { authorization: `Bearer ${key}` } : { "x-api-key": key };
  }

  #wrongKey(variant: number): string {
    const { admin, read } = this.#keys;
    const forms = [
      `${read}x`,
      read.slice(0, -1),
      admin.toLowerCase(),
      admin.slice(3),
      `hl_${"a".repeat(8)}_${"b".repeat(32)}`,
      "__proto__",
      "'",
    ];
    return forms[variant % forms.length]!;
  }
}

/**
 * The address that a request comes from. Whoever guesses comes from everywhere in 127.0.0.0/8, as from a whole network:
 * from one address alone, the throttle would answer everything after the twentieth guess. Some come from one.
 */
export function addressOf(guesses: boolean, variant: number): string {
  if (!guesses) return "127.0.0.1";
  return variant % 5 === 0 ? "127.200.0.1" : `127.${1 + (variant % 50)}.${(variant >> 8) % 250}.${1 + (variant % 250)}`;
}
