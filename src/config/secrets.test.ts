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
  ])("takes %s from %s rather than making one", (name, variable) => {
    expect(completeSecrets({}, { [variable]: "from-env" }).secrets[name].reveal()).toBe("from-env");
  });

  test("makes what nobody gave: long, and each another one", () => {
    const values = Object.values(reveal(completeSecrets({}, { POSTGRES_PASSWORD: "" }).secrets));
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
  };
  expect(Object.keys(withoutSecrets(env))).toEqual(["PATH", "HOMELAB_HOME", "PASSWORD_STORE_DIR"]);
});
