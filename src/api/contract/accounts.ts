import { z } from "zod";
import { ROLES, SCOPES } from "../../accounts/roles.ts";
import { instant, page, pageQuery, plan, unsafeQuery, type Contract } from "../endpoint.ts";

const userName = z
  .string()
  .regex(/^[a-z][a-z0-9._-]{0,62}$/, "expected lower-case letters, digits, . _ and -, a letter first");
const password = z.string().min(1).max(1000).describe("8 to 256 characters, and none that everybody uses");
const role = z.enum(ROLES);
const scope = z.enum(SCOPES);

/** Who asks, as far as he himself may know. */
const me = z
  .strictObject({
    name: z.string(),
    kind: z.enum(["key", "user", "local", "peer", "system"]),
    role,
    scopes: z.array(scope),
  })
  .meta({ id: "Me" });

const user = z
  .strictObject({
    name: z.string(),
    display_name: z.string(),
    role,
    disabled: z.boolean(),
    has_password: z.boolean(),
    sso: z.boolean().describe("Signs in through single sign-on"),
    created_at: instant,
    last_login_at: instant.nullable(),
  })
  .meta({ id: "User" });

const key = z
  .strictObject({
    name: z.string(),
    prefix: z.string(),
    scopes: z.array(scope),
    created_by: z.string(),
    created_at: instant,
    expires_at: instant.nullable(),
    last_used_at: instant.nullable(),
    revoked_at: instant.nullable(),
  })
  .meta({ id: "Key" });

const webSession = z
  .strictObject({
    id: z.string(),
    user: z.string(),
    current: z.boolean(),
    created_at: instant,
    seen_at: instant,
    expires_at: instant,
    address: z.string().nullable(),
    user_agent: z.string().nullable(),
  })
  .meta({ id: "WebSession" });

const auditEntry = z
  .strictObject({
    seq: z.int(),
    at: instant,
    actor: z.string(),
    action: z.string(),
    target: z.string().nullable(),
    before: z.unknown(),
    after: z.unknown(),
    result: z.string(),
    address: z.string().nullable(),
    request_id: z.string().nullable(),
  })
  .meta({ id: "AuditEntry" });

const list = pageQuery.omit({ sort: true });
/** What may stand in the audit log: PostgreSQL's texts hold no zero character. */
const noted = z
  .string()
  .max(300)
  .regex(/^[^\u0000]*$/, "must not hold a zero character");
/** Where it is later in UTC than it says, it may have a year that nobody reads again. */
const isBeforeYear10000 = (text: string): boolean => Date.parse(text) < Date.UTC(10_000, 0);
const userParams = z.strictObject({ name: userName });

export const accountsContract = {
  "GET /api/setup": {
    summary: "Whether the first admin is still to be made, and how one may sign in",
    tag: "accounts",
    scope: null,
    answers: {
      200: z.strictObject({
        needed: z.boolean().nullable().describe("Null while that is not known"),
        sso: z.strictObject({ name: z.string() }).nullable(),
      }),
    },
  },
  "POST /api/setup": {
    summary: "Make the first admin, with the token of the setup link",
    tag: "accounts",
    auditsItself: true,
    scope: null,
    anywhere: true,
    body: z.strictObject({
      token: z.string().max(200).optional().describe("Whoever asks on the node itself needs none"),
      user_name: userName,
      password,
    }),
    answers: { 201: me },
  },
  "POST /api/setup/link": {
    summary: "A new setup link; the one before it ends",
    tag: "accounts",
    auditsItself: true,
    scope: "admin",
    anywhere: true,
    answers: { 201: z.strictObject({ path: z.string(), expires_at: instant }) },
  },
  "GET /api/session": {
    summary: "Who asks",
    tag: "accounts",
    scope: "read",
    answers: { 200: me },
  },
  "POST /api/session": {
    summary: "Sign in with a browser",
    tag: "accounts",
    auditsItself: true,
    scope: null,
    anywhere: true,
    body: z.strictObject({ user_name: z.string().min(1).max(200), password }),
    answers: { 200: me },
  },
  "DELETE /api/session": {
    summary: "Sign out",
    tag: "accounts",
    auditsItself: true,
    scope: null,
    anywhere: true,
    answers: { 204: null },
  },
  "POST /api/session/confirm": {
    summary: "Prove the password again, before something dangerous",
    tag: "accounts",
    auditsItself: true,
    scope: "read",
    anywhere: true,
    body: z.strictObject({ password }),
    answers: { 204: null },
  },
  "POST /api/session/password": {
    summary: "One's own new password; all other browsers are signed out",
    tag: "accounts",
    auditsItself: true,
    scope: "read",
    anywhere: true,
    body: z.strictObject({ current: password, next: password }),
    answers: { 204: null },
  },
  "GET /api/session/sso": {
    summary: "Sign in through single sign-on: leads the browser to the provider",
    tag: "accounts",
    scope: null,
    query: z.strictObject({ return_to: z.string().max(1000).default("/") }),
    answers: { 302: null },
    produces: "text/plain",
  },
  "GET /api/session/sso/callback": {
    summary: "Where the provider sends the browser back to",
    tag: "accounts",
    scope: null,
    query: z.looseObject({}),
    answers: { 302: null },
    produces: "text/plain",
  },
  "GET /api/sessions": {
    summary: "The browsers that are signed in: one's own, or for an admin all",
    tag: "accounts",
    scope: "read",
    query: list,
    answers: { 200: page(webSession) },
  },
  "DELETE /api/sessions/{id}": {
    summary: "Sign a browser out",
    tag: "accounts",
    change: "session.revoke",
    query: unsafeQuery,
    auditsItself: true,
    scope: "read",
    anywhere: true,
    params: z.strictObject({ id: z.uuid() }),
    answers: { 200: plan, 204: null },
  },
  "GET /api/users": {
    summary: "Everybody who can sign in",
    tag: "accounts",
    scope: "admin",
    query: list,
    answers: { 200: page(user) },
  },
  "POST /api/users": {
    summary: "Add a user",
    tag: "accounts",
    change: "user.create",
    query: unsafeQuery,
    auditsItself: true,
    scope: "admin",
    proven: true,
    anywhere: true,
    body: z.strictObject({
      name: userName,
      display_name: z
        .string()
        .max(100)
        .regex(/^[^\u0000-\u001f\u007f]*$/)
        .refine((text) => text.isWellFormed(), "must be well-formed Unicode")
        .optional(),
      role: role.default("viewer"),
      password,
    }),
    answers: { 200: plan, 201: user },
  },
  "PATCH /api/users/{name}": {
    summary: "Change a user's role, state or password; his sessions end",
    tag: "accounts",
    change: "user.update",
    query: unsafeQuery,
    auditsItself: true,
    scope: "admin",
    proven: true,
    anywhere: true,
    params: userParams,
    body: z.strictObject({ role: role.optional(), disabled: z.boolean().optional(), password: password.optional() }),
    answers: { 200: z.union([user, plan]) },
  },
  "DELETE /api/users/{name}": {
    summary: "Remove a user",
    tag: "accounts",
    change: "user.delete",
    query: unsafeQuery,
    auditsItself: true,
    scope: "admin",
    proven: true,
    anywhere: true,
    params: userParams,
    answers: { 200: plan, 204: null },
  },
  "GET /api/keys": {
    summary: "The API keys, without what would open anything",
    tag: "accounts",
    scope: "admin",
    query: list,
    answers: { 200: page(key) },
  },
  "POST /api/keys": {
    summary: "Make an API key; it is shown this once",
    tag: "accounts",
    change: "key.create",
    query: unsafeQuery,
    auditsItself: true,
    scope: "admin",
    proven: true,
    anywhere: true,
    body: z.strictObject({
      name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$/, "expected letters, digits, spaces, . _ and -"),
      scopes: z.array(scope).min(1).max(4).default(["read"]),
      expires_at: instant.refine(isBeforeYear10000, "is too far away").nullable().default(null),
    }),
    answers: { 200: plan, 201: key.extend({ key: z.string() }) },
  },
  "DELETE /api/keys/{prefix}": {
    summary: "Revoke an API key: it opens nothing from now on",
    tag: "accounts",
    change: "key.revoke",
    query: unsafeQuery,
    auditsItself: true,
    scope: "admin",
    anywhere: true,
    params: z.strictObject({ prefix: z.string().regex(/^[A-Za-z0-9]{1,20}$/) }),
    answers: { 200: plan, 204: null },
  },
  "GET /api/audit": {
    summary: "Who changed what, from where, and with what result; the newest first",
    tag: "accounts",
    scope: "admin",
    query: list.extend({ actor: noted.optional(), action: noted.optional() }),
    answers: { 200: page(auditEntry) },
  },
  "GET /api/audit/proof": {
    summary: "Checks the audit log's chain of hashes: whether a line was changed or taken out",
    tag: "accounts",
    scope: "admin",
    answers: { 200: z.strictObject({ ok: z.boolean(), entries: z.int(), says: z.string() }) },
  },
} as const satisfies Contract;
