import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ensureFolder, exists, modeOf, readJson, readText, remove, writeAtomic } from "./files.ts";
import { runAny } from "./run.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hl-files-"));
  path = join(folder, "file");
});
afterEach(() => rm(folder, { recursive: true }));

describe("writeAtomic", () => {
  test("writes a new file, closed to others unless something else is said", async () => {
    await writeAtomic(path, "content");
    expect([await readFile(path, "utf8"), await modeOf(path)]).toEqual(["content", 0o600]);
  });

  test("gives the mode that was asked for, whatever the umask", async () => {
    await writeAtomic(path, "x", 0o644);
    expect(await modeOf(path)).toBe(0o644);
    await writeAtomic(path, "x", 0o600);
    expect(await modeOf(path)).toBe(0o600);
  });

  test("never has a byte in a file that others can read: neither here nor in the file beside it", async () => {
    await writeFile(path, "old", { mode: 0o644 });
    const writing = writeAtomic(path, "secret ".repeat(500_000));
    const seen = new Set<number>();
    for (let done = false; !done;) {
      for (const name of await readdir(folder)) {
        const found = await stat(join(folder, name)).catch(() => undefined);
        if (found && name !== "file") seen.add(found.mode & 0o777);
      }
      done = await Promise.race([writing.then(() => true), new Promise<false>((go) => void setImmediate(go, false))]);
    }
    expect([...seen].every((mode) => mode === 0o600)).toBe(true);
    expect(await modeOf(path)).toBe(0o600);
  });

  test("leaves nothing beside the file", async () => {
    await Promise.all(Array.from({ length: 10 }, (_, i) => writeAtomic(path, `content ${i}`)));
    expect(await readdir(folder)).toEqual(["file"]);
    expect(await readFile(path, "utf8")).toMatch(/^content \d$/);
  });

  test("keeps the old content whole when it fails, and nothing of the new one", async () => {
    await writeAtomic(path, "old");
    await mkdir(join(folder, "taken"));
    await writeFile(join(folder, "taken", "inside"), "");
    await expect(writeAtomic(join(folder, "taken"), "new")).rejects.toThrow();
    expect(await readFile(path, "utf8")).toBe("old");
    expect((await readdir(folder)).toSorted()).toEqual(["file", "taken"]);
  });

  test("keeps the old content whole when the disk is full half way", async () => {
    const script = [
      'import { writeAtomic } from "./files.ts";',
      'await writeAtomic(process.argv[1], "old");',
      // A limit on the size of files (setrlimit, RLIMIT_FSIZE) fails a write half way, as a full disk does.
      'process.on("SIGXFSZ", () => {});',
      'await writeAtomic(process.argv[1], "new".repeat(1_000_000)).then(() => process.exit(9), () => process.exit(7));',
    ].join("\n");
    const argv = [
      "/bin/sh",
      "-c",
      'ulimit -f 64; exec "$0" "$@"',
      process.execPath,
      "--input-type=module-typescript",
    ] as const;
    const { exitCode, stderr } = await runAny({ argv: [...argv, "-e", script, path], cwd: import.meta.dirname });
    expect([exitCode, stderr.replace(/^\(node.*\n.*trace-warnings.*\n/gm, "")]).toEqual([7, ""]);
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["file"]);
  });

  test("fails where there is no folder", async () => {
    await expect(writeAtomic(join(folder, "none", "file"), "x")).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("reading", () => {
  test("answers undefined for what is not there, and only for that", async () => {
    expect([await readText(path), await readJson(path), await modeOf(path), await exists(path)]).toEqual([
      undefined,
      undefined,
      undefined,
      false,
    ]);
    for (const look of [readText, readJson]) await expect(look(folder)).rejects.toMatchObject({ code: "EISDIR" });
    await writeAtomic(path, "{");
    await expect(readJson(path)).rejects.toThrow(SyntaxError);
    for (const look of [readText, modeOf])
      await expect(look(join(path, "below"))).rejects.toMatchObject({ code: "ENOTDIR" });
  });

  test("gives text and JSON back", async () => {
    await writeAtomic(path, '{"a":[1]}');
    expect([await readText(path), await readJson(path), await exists(path)]).toEqual(['{"a":[1]}', { a: [1] }, true]);
  });
});

test("ensureFolder makes the folder, or gives the one that is there the mode", async () => {
  const inner = join(folder, "a", "b");
  await ensureFolder(inner, 0o700);
  expect(await modeOf(inner)).toBe(0o700);
  await ensureFolder(inner, 0o755);
  expect(await modeOf(inner)).toBe(0o755);
});

test("remove takes a file, a folder with all in it, or nothing", async () => {
  await ensureFolder(join(folder, "a", "b"), 0o700);
  await writeAtomic(path, "x");
  for (const gone of [join(folder, "a"), path, join(folder, "never")]) await remove(gone);
  expect(await readdir(folder)).toEqual([]);
});
