import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askPassword } from "./ask-password.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hl-password-"));
});
afterAll(() => rm(folder, { recursive: true }));

const fromFile = async (text: string): Promise<string> => {
  const file = join(folder, "password");
  await writeFile(file, text);
  return (await askPassword("ada", file)).reveal();
};

test("a password from a file is its line, with every space in it", async () => {
  expect(await fromFile(" correct horse \n")).toBe(" correct horse ");
  expect(await fromFile("no newline")).toBe("no newline");
  expect(await fromFile("of Windows\r\n")).toBe("of Windows");
});

test("an empty one is refused", async () => {
  await expect(fromFile("\n")).rejects.toMatchObject({ code: "usage" });
});
