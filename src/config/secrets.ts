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
} as const;

export type SecretName = keyof typeof SECRET_NAMES;
export type Secrets = Record<SecretName, Secret>;

const names = Object.keys(SECRET_NAMES) as SecretName[];

/**
 * A secret ends up in the files of four engines, and some of them end a value at a line's end (the pooler's user list).
 * @throws HomelabError `configuration_invalid`, which names the variable and never its value
 */
export function checkSecretVariables(env: Record<string, string | undefined>): void {
  for (const variable of Object.values(SECRET_NAMES)) {
    const given = variable && env[variable];
    if (!given || /^[\x20-\x7e]{1,200}$/.test(given)) continue;
    throw new HomelabError("configuration_invalid", `${variable} holds a character that a password cannot have`, {
      hint: "Passwords are of at most 200 printable ASCII characters: no engine's file could be broken by one.",
    });
  }
}

/**
 * What is stored wins, then the environment, then a new one: a secret that engines already know must not change
 * because a variable did. Answers the secrets, and whether there is something new to store.
 * @throws HomelabError `configuration_invalid`
 */
export function completeSecrets(
  stored: Partial<Record<string, string>>,
  env: Record<string, string | undefined>,
): { secrets: Secrets; added: boolean } {
  let added = false;
  const pick = (name: SecretName): Secret => {
    const known = stored[name];
    if (known) return new Secret(known);
    added = true;
    checkSecretVariables(env);
    const variable = SECRET_NAMES[name];
    return new Secret((variable && env[variable]) || generatePassword());
  };
  return { secrets: Object.fromEntries(names.map((name) => [name, pick(name)])) as Secrets, added };
}

/** Takes the secrets' variables out of an environment, so that no process that we start inherits one. */
export function withoutSecrets(env: Record<string, string | undefined>): Record<string, string | undefined> {
  const taken = new Set<string>(Object.values(SECRET_NAMES).filter((name) => name !== undefined));
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !taken.has(name) && !/(PASSWORD|SECRET|API_KEY)$/.test(name)),
  );
}

/** The text of the secrets file (0600). */
export function secretsText(secrets: Secrets): string {
  return `${JSON.stringify(Object.fromEntries(names.map((name) => [name, secrets[name].reveal()])), null, 2)}\n`;
}
