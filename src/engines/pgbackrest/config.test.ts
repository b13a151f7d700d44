import { describe, expect, test } from "vitest";
import { goldenCases, goldenPath } from "../../../tests/harness/golden.ts";
import { sampleSecrets, sampleStorage, sampleTopology } from "../../../tests/harness/sample-topology.ts";
import type { S3Repository, Storage } from "../../config/storage.ts";
import { Secret } from "../../core/secret.ts";
import { renderPgbackrest } from "./config.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

const bucket: S3Repository = {
  ...{ number: 2, name: "minio", type: "s3", endpoint: "minio.home.lan", port: 9000, bucket: "homelab" },
  ...{ path: "/attic", region: "us-east-1", uri_style: "path", key: "sample-key", ca: PEM },
  ...{ key_secret: new Secret("sample-key-secret"), cipher_pass: new Secret("sample-cipher-2") },
};

const both: Storage = { repositories: [...sampleStorage.repositories, bucket] };

describe("pgbackrest.conf", () => {
  test.each(Object.keys(goldenCases))("of the case %s is as it was read and agreed to", async (name) => {
    for (const file of renderPgbackrest(goldenCases[name]!, both, sampleSecrets))
      await expect(file.content).toMatchFileSnapshot(goldenPath(import.meta.dirname, name, file));
  });

  test("and all beside it is closed to others: it holds passphrases, keys and a password", () => {
    for (const file of renderPgbackrest(sampleTopology(), both, sampleSecrets))
      expect(file.mode, file.path).toBe(0o600);
  });

  test("F59: names no size at which WAL is dropped, whatever the settings", () => {
    for (const topology of Object.values(goldenCases))
      expect(renderPgbackrest(topology, both, sampleSecrets)[0]!.content).not.toMatch(/queue-max/);
  });

  test("names no option twice, and uses block incremental only where it is not a beta", () => {
    for (const [name, topology] of Object.entries(goldenCases)) {
      const { content } = renderPgbackrest(topology, both, sampleSecrets)[0]!;
      const names = content.split("\n").map((line) => (line.startsWith("[") ? line : line.split("=")[0]));
      const [global] = content.split("[global:archive-push]");
      const own = names.slice(0, global!.split("\n").length).filter((each) => each && !each.startsWith("#"));
      expect(new Set(own).size, name).toBe(own.length);
      expect(/repo1-block=y/.test(content), name).toBe(name !== "debian12");
    }
  });

  test("never lets pgBackRest expire by its own count", () => {
    const { content } = renderPgbackrest(sampleTopology(), sampleStorage, sampleSecrets)[0]!;
    expect(content).toContain("expire-auto=n");
  });

  test("says that a repository without a passphrase is not encrypted", () => {
    const open: Storage = { repositories: [{ ...sampleStorage.repositories[0]!, cipher_pass: null }] };
    const { content } = renderPgbackrest(sampleTopology(), open, sampleSecrets)[0]!;
    expect(content).toContain("repo1-cipher-type=none");
    expect(content).not.toContain("cipher-pass");
  });
});
