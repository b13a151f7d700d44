import { describe, expect, test } from "vitest";
import { Secret } from "../core/secret.ts";
import {
  freeNumber,
  localStorage,
  placeOf,
  readStorage,
  storageText,
  withFormer,
  withoutRepository,
  withRepository,
  type Repository,
  type S3Repository,
} from "./storage.ts";

const offsite: S3Repository = {
  number: 2,
  name: "offsite",
  type: "s3",
  endpoint: "s3.lan",
  port: 9000,
  bucket: "backups",
  path: "/homelab",
  region: "us-east-1",
  uri_style: "path",
  key: "HLKEY",
  key_secret: new Secret("the secret key"),
  ca: null,
  cipher_pass: new Secret("the passphrase"),
};

const stored = (text: string): unknown => JSON.parse(text);

describe("the storage file", () => {
  test("reads back what was written, with every secret", () => {
    const both = withRepository(localStorage("/srv/backups", true), offsite);
    const again = readStorage(stored(storageText(both)));
    expect(stored(storageText(again))).toEqual(stored(storageText(both)));
    expect(again.repositories[1]!.cipher_pass!.reveal()).toBe("the passphrase");
    expect((again.repositories[1] as S3Repository).key_secret.reveal()).toBe("the secret key");
  });

  test("prints no secret but in its own text", () => {
    expect(JSON.stringify(withRepository(localStorage("/srv/backups", true), offsite))).not.toMatch(
      /the (secret|pass)/,
    );
  });
});

describe("places", () => {
  test("are one when they are the same server, bucket and path", () => {
    expect(placeOf(offsite)).toBe("s3://s3.lan:9000/backups/homelab");
    expect(placeOf({ type: "disk", path: "/srv/backups" })).toBe("/srv/backups");
  });

  test("have the lowest number that is free, of four", () => {
    let storage = localStorage("/srv/backups", true);
    expect(freeNumber(storage)).toBe(2);
    for (const number of [2, 4]) storage = withRepository(storage, { ...offsite, number, name: `r${number}` });
    expect(freeNumber(storage)).toBe(3);
    storage = withRepository(storage, { ...offsite, number: 3, name: "r3" });
    expect(storage.repositories.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect(freeNumber(storage)).toBeUndefined();
  });
});

describe("a repository that is given up", () => {
  const passOf = (storage: ReturnType<typeof readStorage>) =>
    storage.former?.find(({ place }) => place === placeOf(offsite))?.cipher_pass?.reveal();

  test("leaves its passphrase, and neither its keys nor its secret", () => {
    const given = withoutRepository(withRepository(localStorage("/srv/backups", true), offsite), "offsite");
    expect(given.repositories.map(({ name }) => name)).toEqual(["local"]);
    expect(passOf(given)).toBe("the passphrase");
    expect(storageText(given)).not.toContain("the secret key");
    expect(passOf(readStorage(stored(storageText(given))))).toBe("the passphrase");
  });

  test("has it noted once, and not beside itself once it is back", () => {
    let storage = localStorage("/srv/backups", true);
    storage = withFormer(storage, placeOf(offsite), new Secret("an older one"));
    storage = withFormer(storage, placeOf(offsite), new Secret("the passphrase"));
    expect(storage.former).toHaveLength(1);
    const back: Repository = { ...offsite };
    expect(passOf(withRepository(storage, back))).toBeUndefined();
  });

  test("is nothing where there is none of that name", () => {
    const storage = localStorage("/srv/backups", true);
    expect(withoutRepository(storage, "offsite")).toBe(storage);
  });
});
