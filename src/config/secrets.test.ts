import { describe, expect, test } from "vitest";
import { completeSecrets, secretsText, withoutSecrets, type SecretName } from "./secrets.ts";

const reveal = (secrets: ReturnType<typeof completeSecrets>["secrets"]) =>
  Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, secret.reveal()]));

describe("completeSecrets", () => {
  test("keeps what is stored, whatever the environment says", () => {
    const { secrets } = completeSecrets({ superuser: "stored" }, { POSTGRES_PASSWORD: "from-env" });
    expect(secrets.superuser.reveal()).toBe("stored");
  });

  test.each<[SecretName, string]>([
    ["superuser", "POSTGRES_PASSWORD"],
    ["replication", "REPLICATION_PASSWORD"],
    ["patroni_restapi", "PATRONI_RESTAPI_PASSWORD"],
    ["pooler_stats", "PGBOUNCER_STATS_PASSWORD"],
    ["jarvis_db", "JARVIS_DB_PASSWORD"],
    ["dashboard_api_key", "DASHBOARD_API_KEY"],
  ])("takes %s from %s rather than making one", (name, variable) => {
    expect(completeSecrets({}, { [variable]: "from-environment" }).secrets[name].reveal()).toBe("from-environment");
  });

  test("makes what nobody gave: long, and each another one", () => {
    const { dashboard_api_key, ...passwords } = reveal(completeSecrets({}, { POSTGRES_PASSWORD: "" }).secrets);
    const values = Object.values(passwords);
    expect(dashboard_api_key).toMatch(/^hl_[A-Za-z0-9_-]{43}$/);
    expect(new Set(values).size).toBe(values.length);
    for (const value of values) expect(value).toMatch(/^[A-Za-z2-9]{32}$/);
  });

  test.each(["two\nlines", "tab\t", "größe", "zero\0"])("refuses a variable's %j, which could break a file", (bad) => {
    expect(() => completeSecrets({}, { PGBOUNCER_STATS_PASSWORD: bad })).toThrow(
      expect.objectContaining({ code: "configuration_invalid" }) as Error,
    );
  });

  test("tells whether there is something new to store", () => {
    const first = completeSecrets({}, {});
    expect(first.added).toBe(true);
    const stored = JSON.parse(secretsText(first.secrets)) as Record<string, string>;
    const again = completeSecrets(stored, { POSTGRES_PASSWORD: "another" });
    expect(again.added).toBe(false);
    expect(reveal(again.secrets)).toEqual(reveal(first.secrets));
  });

  test("adds one that a newer version needs, and keeps the others", () => {
    const { monitor: _, ...older } = JSON.parse(secretsText(completeSecrets({}, {}).secrets)) as Record<string, string>;
    const { secrets, added } = completeSecrets(older, {});
    expect(added).toBe(true);
    expect(reveal(secrets)).toMatchObject(older);
  });

  test("lets the API key follow the environment: no engine knows it", () => {
    const stored = { dashboard_api_key: "the-one-of-before" };
    const given = { DASHBOARD_API_KEY: "another-key-of-mine" };
    expect(completeSecrets(stored, given).secrets.dashboard_api_key.reveal()).toBe("another-key-of-mine");
    const all = JSON.parse(secretsText(completeSecrets({}, given).secrets)) as Record<string, string>;
    expect(completeSecrets(all, given).added).toBe(false);
    expect(completeSecrets(all, {}).added).toBe(false);
    expect(completeSecrets(all, { DASHBOARD_API_KEY: "yet-another-key-of-mine" }).added).toBe(true);
  });

  test("refuses an API key that could be guessed", () => {
    const refused = expect.objectContaining({ code: "configuration_invalid" }) as Error;
    expect(() => completeSecrets({}, { DASHBOARD_API_KEY: "fifteen-letters" })).toThrow(refused);
    expect(() => completeSecrets({}, { DASHBOARD_API_KEY: "sixteen-letters!" })).not.toThrow();
  });

  test("has a database elsewhere only when one was given, remembers it, and follows the environment", () => {
    expect(completeSecrets({}, {}).secrets.jarvis_database_url).toBeUndefined();
    const [one, other] = ["postgresql://a:b@db:5432/x", "postgres://a:b@db2/y?sslmode=require"];
    const first = completeSecrets({}, { JARVIS_DATABASE_URL: one });
    const stored = JSON.parse(secretsText(first.secrets)) as Record<string, string>;
    expect(stored).toMatchObject({ jarvis_database_url: one });
    const again = completeSecrets(stored, { JARVIS_DATABASE_URL: "" });
    expect([again.added, again.secrets.jarvis_database_url?.reveal()]).toEqual([false, one]);
    const changed = completeSecrets(stored, { JARVIS_DATABASE_URL: other });
    expect([changed.added, changed.secrets.jarvis_database_url?.reveal()]).toEqual([true, other]);
  });

  test.each(["db:5432/x", "mysql://a@b/c", "postgresql://host:5432", "postgresql://host:5432/", "not a URL"])(
    "refuses %j as the URL of a database, without repeating it",
    (url) => {
      const attempt = () => completeSecrets({}, { JARVIS_DATABASE_URL: url });
      expect(attempt).toThrow(expect.objectContaining({ code: "configuration_invalid" }) as Error);
      expect(attempt).not.toThrow(url);
    },
  );

  test("answers values that do not print", () => {
    const { secrets } = completeSecrets({ superuser: "canary" }, {});
    expect(`${JSON.stringify(secrets)}${String(secrets.superuser)}`).not.toContain("canary");
  });
});

test("withoutSecrets takes out what is secret, and nothing else", () => {
  const env = {
    PATH: "/bin",
    HOMELAB_HOME: "/srv",
    PASSWORD_STORE_DIR: "/root-of-pass",
    POSTGRES_PASSWORD: "x",
    REPLICATION_PASSWORD: "x",
    PATRONI_RESTAPI_PASSWORD: "x",
    PGBOUNCER_STATS_PASSWORD: "x",
    PGPASSWORD: "x",
    DASHBOARD_API_KEY: "x",
    AWS_SECRET: "x",
    JARVIS_DB_PASSWORD: "x",
    JARVIS_DATABASE_URL: "postgresql://a:b@db/x",
  };
  expect(Object.keys(withoutSecrets(env))).toEqual(["PATH", "HOMELAB_HOME", "PASSWORD_STORE_DIR"]);
});
