import { describe, expect, test } from "vitest";
import { askKeys, keysIn } from "./ask-keys.ts";

describe("the keys of a bucket", () => {
  test("are two lines, whoever wrote them", () => {
    for (const text of ["HLKEY\nsecret", "HLKEY\nsecret\n", "HLKEY\r\nsecret\r\n\r\n"]) {
      const { key, secret } = keysIn(text, "a file");
      expect([key, secret.reveal()]).toEqual(["HLKEY", "secret"]);
    }
  });

  test("are refused when one is missing or there is more, and none of it is repeated", () => {
    for (const text of ["", "HLKEY", "HLKEY\n\nsecret", "HLKEY\nsecret\nmore"]) {
      expect(() => keysIn(text, "a file")).toThrow("a file does not hold an access key and a secret");
      expect(() => keysIn(text, "a file")).not.toThrow(/HLKEY|secret\b.*more/);
    }
  });

  test("come from the environment by the names of AWS's tools first, then of MinIO's server", async () => {
    const minio = { MINIO_ROOT_USER: "m", MINIO_ROOT_PASSWORD: "n" };
    expect((await askKeys(undefined, { ...minio, AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" })).key).toBe("a");
    expect((await askKeys(undefined, { ...minio, AWS_ACCESS_KEY_ID: "a" })).secret.reveal()).toBe("n");
  });
});
