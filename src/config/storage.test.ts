import { describe, expect, test } from "vitest";
import { localStorage, readStorage, storageText } from "./storage.ts";

const disk = { number: 1, name: "local", type: "disk", path: "/srv/backups", cipher_pass: "disk-pass" };
const s3 = {
  ...{ number: 2, name: "cloud", type: "s3", endpoint: "s3.example.org", bucket: "homelab", key: "key" },
  ...{ key_secret: "s3-secret", cipher_pass: null },
};

describe("the storage file", () => {
  test("is written as it was read, with what it leaves out", () => {
    const storage = readStorage({ repositories: [s3, disk] });
    expect(storage.repositories.map(({ number }) => number)).toEqual([1, 2]);
    const text = storageText(storage);
    expect(storageText(readStorage(JSON.parse(text)))).toBe(text);
    expect(JSON.parse(text)).toMatchObject({
      repositories: [disk, { ...s3, port: 443, path: "/homelab", region: "us-east-1", uri_style: "path", ca: null }],
    });
  });

  test("gives no passphrase away where a repository is printed", () => {
    const printed = JSON.stringify(readStorage({ repositories: [disk, s3] }));
    for (const secret of ["disk-pass", "s3-secret"]) expect(printed).not.toContain(secret);
  });

  test.each([
    [{ ...disk, number: 5 }],
    [{ ...disk, name: "Local" }],
    [{ ...disk, cipher_pass: "" }],
    [{ ...disk, unknown: 1 }],
    [{ ...s3, endpoint: "https://s3.example.org" }],
    [{ ...s3, key: "a\nrepo1-path=/" }],
    [{ ...s3, path: "no-slash" }],
    [{ ...s3, bucket: "-" }],
  ])("is refused where somebody broke it: %j", (repository) => {
    expect(() => readStorage({ repositories: [repository] })).toThrow();
  });

  test("names at least one repository", () => {
    expect(() => readStorage({ repositories: [] })).toThrow();
  });
});

test("the first repository has a passphrase of its own, unless that was not wanted", () => {
  const [one, other] = [localStorage("/a", true), localStorage("/a", true)].map(({ repositories }) =>
    repositories[0]!.cipher_pass!.reveal(),
  );
  expect(one).toMatch(/^[A-Za-z0-9]{48}$/);
  expect(one).not.toBe(other);
  expect(localStorage("/a", false).repositories[0]!.cipher_pass).toBeNull();
});
