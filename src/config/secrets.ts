import { randomBytes } from "node:crypto";
import { HomelabError } from "../core/errors.ts";
import { generatePassword } from "../core/password.ts";
import { Secret } from "../core/secret.ts";

/** The secrets of an installation, and the environment's name that may give each (interfaces: "Environment names to honour"). */
const SECRET_NAMES = {
  superuser: "POSTGRES_PASSWORD",
  replication: "REPLICATION_PASSWORD",
  rewind: undefined,
  patroni_restapi: "PATRONI_RESTAPI_PASSWORD",
  pooler_auth: undefined,
  pooler_stats: "PGBOUNCER_STATS_PASSWORD",
  monitor: undefined,
  /** Seals what only hubs may read again: answers that are kept, logins under way. */
  hub_seal: undefined,
  jarvis_db: "JARVIS_DB_PASSWORD",
  dashboard_api_key: "DASHBOARD_API_KEY",
} as const;

/** A platform database elsewhere: there is none unless it was given. */
const EXTERNAL_DATABASE = "JARVIS_DATABASE_URL";

export type SecretName = keyof typeof SECRET_NAMES;
export type Secrets = Record<SecretName, Secret> & { jarvis_database_url?: Secret };

const names = Object.keys(SECRET_NAMES) as SecretName[];

/** What no engine knows follows the environment: whoever gives another key, or another database, means it. */
const FOLLOWING: SecretName[] = ["dashboard_api_key"];

/** Characters that a given key has at least. */
const KEY_LENGTH = 16;

/**
 * A secret ends up in the files of four engines, and some of them end a value at a line's end (the pooler's user list).
 * @throws HomelabError `configuration_invalid`, which names the variable and never its value
 */
export function checkSecretVariables(env: Record<string, string | undefined>): void {
  checkKey(env["DASHBOARD_API_KEY"]);
  checkDatabaseUrl(env[EXTERNAL_DATABASE]);
  for (const variable of Object.values(SECRET_NAMES)) {
    const given = variable && env[variable];
    if (!given || /^[\x20-\x7e]{1,200}$/.test(given)) continue;
    throw new HomelabError("configuration_invalid", `${variable} holds a character that a password cannot have`, {
      hint: "Passwords are of at most 200 printable ASCII characters: no engine's file could be broken by one.",
    });
  }
}

function checkKey(given: string | undefined): void {
  if (!given || given.length >= KEY_LENGTH) return;
  throw new HomelabError("configuration_invalid", `DASHBOARD_API_KEY has fewer than ${KEY_LENGTH} characters`, {
    hint: "Leave it out for a random one, or make one: openssl rand -base64 32",
  });
}

function checkDatabaseUrl(given: string | undefined): void {
  const url = given && URL.canParse(given) ? new URL(given) : undefined;
  if (!given || (url && /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1 && given.length <= 2000))
    return;
  throw new HomelabError("configuration_invalid", `${EXTERNAL_DATABASE} is no URL of a PostgreSQL database`, {
    hint: "Such a URL looks like postgresql://user:password@host:5432/database?sslmode=verify-full",
  });
}

/**
 * What is stored wins, then the environment, then a new one: a secret that engines already know must not change
 * because a variable did. Only what no engine knows follows the environment.
 * Answers the secrets, and whether there is something new to store.
 * @throws HomelabError `configuration_invalid`
 */
export function completeSecrets(
  stored: Partial<Record<string, string>>,
  env: Record<string, string | undefined>,
): { secrets: Secrets; added: boolean } {
  let added = false;
  const pick = (name: SecretName): Secret => {
    const variable = SECRET_NAMES[name];
    const given = (variable && env[variable]) || undefined;
    const known = stored[name];
    if (known && (!given || given === known || !FOLLOWING.includes(name))) return new Secret(known);
    added = true;
    checkSecretVariables(env);
    return new Secret(given ?? generate(name));
  };
  const secrets = Object.fromEntries(names.map((name) => [name, pick(name)])) as Secrets;
  checkDatabaseUrl(env[EXTERNAL_DATABASE]);
  const external = env[EXTERNAL_DATABASE] || stored["jarvis_database_url"];
  if (!external) return { secrets, added };
  added ||= external !== stored["jarvis_database_url"];
  return { secrets: { ...secrets, jarvis_database_url: new Secret(external) }, added };
}

/** A key says what it is, so that scanners of leaked secrets find it. */
const generate = (name: SecretName): string =>
  name === "dashboard_api_key" ? `hl_${randomBytes(32).toString("base64url")}` : generatePassword();

/** Takes the secrets' variables out of an environment, so that no process that we start inherits one. */
export function withoutSecrets(env: Record<string, string | undefined>): Record<string, string | undefined> {
  const taken = new Set<string>(Object.values(SECRET_NAMES).filter((name) => name !== undefined)).add(
    EXTERNAL_DATABASE,
  );
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !taken.has(name) && !/(PASSWORD|SECRET|API_KEY)$/.test(name)),
  );
}

/** The text of the secrets file (0600). */
export function secretsText(secrets: Secrets): string {
  const stored = ([...names, "jarvis_database_url"] as const).map((name) => [name, secrets[name]?.reveal()]);
  return `${JSON.stringify(Object.fromEntries(stored), null, 2)}\n`;
}
