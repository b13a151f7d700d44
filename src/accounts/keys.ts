import { randomBytes, randomUUID } from "node:crypto";
import { HomelabError } from "../core/errors.ts";
import { generatePassword } from "../core/password.ts";
import type { Scope } from "../core/scope.ts";
import { Secret } from "../core/secret.ts";
import { printable } from "../core/text.ts";
import { replaced, type AccountsState, type ApiKey } from "./state.ts";
import { hashToken, matchesHash } from "./tokens.ts";

/** The installation's own key, which is in its secrets file and in no database: an admin by this name. */
export const DASHBOARD_KEY = "dashboard";

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$/;
const KEY = /^hl_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{32}$/;

/** A key as lists show one: nothing that could be used. */
export type KeyView = Omit<ApiKey, "secretHash">;

export function viewKey(key: ApiKey): KeyView {
  const { secretHash: _, ...view } = key;
  return view;
}

/** What is asked of a new key. */
export interface NewKey {
  name: string;
  scopes: readonly Scope[];
  /** RFC 3339; null for one that lasts. */
  expiresAt: string | null;
}

/** Makes a key: the row that is kept, and the text that is shown this once. @throws HomelabError `input_invalid` */
export function mintKey(input: NewKey, createdBy: string, now: string): { key: ApiKey; text: Secret } {
  requireKey(input, now);
  const prefix = generatePassword(8);
  // 192 random bits: nothing that a fast hash could be tried against.
  const text = `hl_${prefix}_${randomBytes(24).toString("base64url")}`;
  const key: ApiKey = {
    id: randomUUID(),
    name: input.name,
    prefix,
    secretHash: hashToken(text),
    scopes: [...new Set(input.scopes)],
    createdBy,
    createdAt: now,
    expiresAt: input.expiresAt,
    lastUsedAt: null,
    revokedAt: null,
  };
  return { key, text: new Secret(text) };
}

function requireKey({ name, scopes, expiresAt }: NewKey, now: string): void {
  const refuse = (field: string, message: string) =>
    new HomelabError("input_invalid", `${field}: ${message}`, { errors: [{ field, message }] });
  if (!NAME.test(name)) throw refuse("name", "1 to 63 letters, digits, spaces, dots, _ and -");
  if (scopes.length === 0) throw refuse("scopes", "a key without one could do nothing");
  if (expiresAt !== null && !(Date.parse(expiresAt) > Date.parse(now))) throw refuse("expires_at", "is in the past");
}

/** Adds a key; a name is free again once its key was revoked. @throws HomelabError `name_taken` */
export function addKey(state: AccountsState, key: ApiKey): AccountsState {
  const isTaken = key.name === DASHBOARD_KEY || state.keys.some((other) => other.name === key.name && !other.revokedAt);
  if (isTaken)
    throw new HomelabError("name_taken", `there is a key ${key.name} already`, {
      hint: "Choose another name, or end that one: homelab key list, homelab key revoke.",
    });
  return { ...state, keys: [...state.keys, key] };
}

/** Revokes a key that is not revoked yet, by its id, its prefix or its name. @throws HomelabError `not_found` */
export function revokeKey(state: AccountsState, which: string, now: string): AccountsState {
  const key = requireLiveKey(state, which);
  return { ...state, keys: replaced(state.keys, { ...key, revokedAt: now }) };
}

/** @throws HomelabError `not_found` */
export function requireLiveKey(state: AccountsState, which: string): ApiKey {
  const live = state.keys.filter((key) => !key.revokedAt);
  const key = live.find(({ id, prefix, name }) => [id, prefix, name].includes(which));
  if (key) return key;
  throw new HomelabError("not_found", `there is no key ${printable(which)}`, { hint: "homelab key list shows them." });
}

/** The prefix of what looks like a key of ours: that much of it may be told to others. */
export const prefixOf = (text: string): string | undefined => KEY.exec(text)?.[1];

/** The key that a given text is, whether it may still be used or not. */
export function findKey(keysByPrefix: ReadonlyMap<string, ApiKey>, text: string): ApiKey | undefined {
  const key = keysByPrefix.get(prefixOf(text) ?? "");
  return key && matchesHash(text, key.secretHash) ? key : undefined;
}

/** Whether a key may be used now. */
export const isUsableKey = (key: ApiKey, now: number): boolean =>
  !key.revokedAt && (key.expiresAt === null || Date.parse(key.expiresAt) > now);
