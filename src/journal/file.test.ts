import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { homePaths } from "../cluster/home.ts";
import { ensureFolder } from "../host/files.ts";
import { newRunId } from "../core/ids.ts";
import { openFileJournal } from "./file.ts";
import { importContract, type ImportableStore } from "./import.contract.ts";
import { journalContract, type ContractOptions } from "./journal.contract.ts";
import { openJournal } from "./open.ts";
import { schemaSteps } from "./schema.ts";

async function fileStore({ clock, isAlive }: ContractOptions): Promise<ImportableStore> {
  const folder = await mkdtemp(join(tmpdir(), "hl-journal-"));
  const path = join(folder, "journal.db");
  return {
    connect: async (holder) => openFileJournal({ path, clock, holder, isAlive }),
    destroy: () => rm(folder, { recursive: true }),
  };
}

journalContract("the file store", fileStore);
importContract("from file to file", { from: fileStore, to: fileStore });

describe("the file store", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "hl-journal-"));
    await ensureFolder(homePaths(root).state, 0o700);
  });
  afterEach(() => rm(root, { recursive: true }));

  /** Runs a script as `count` processes at once, each with the home and its number; all must end well. */
  async function processes(count: number, script: string): Promise<void> {
    const file = join(root, "child.ts");
    await writeFile(file, script.replaceAll("src/", `${join(import.meta.dirname, "..")}/`));
    const ends = Array.from({ length: count }, async (_, number) => {
      const argv = ["--disable-warning=ExperimentalWarning", file, root, String(number)];
      const child = spawn(process.execPath, argv, { stdio: ["ignore", "inherit", "inherit"], timeout: 15_000 });
      const [code] = (await once(child, "exit")) as [number | null];
      return code;
    });
    expect(await Promise.all(ends)).toEqual(Array.from({ length: count }, () => 0));
  }

  const PREAMBLE = `
    import { appendFileSync } from "node:fs";
    import { setTimeout as sleep } from "node:timers/promises";
    import { homePaths } from "src/cluster/home.ts";
    import { newRunId } from "src/core/ids.ts";
    import { openJournal } from "src/journal/open.ts";
    const [root, number] = process.argv.slice(2);
    const journal = openJournal(homePaths(root));
    const begin = (input, locks) => journal.begin({ id: newRunId(Date.now()), operation: "test.do", input, steps: [], locks, caller: "test" });
    const note = (text) => appendFileSync(root + "/notes", text + "\\n");`;

  test("gives one lock to one process at a time", async () => {
    await processes(
      2,
      `${PREAMBLE}
      for (let round = 0; round < 15; round++) {
        for (;;) {
          const admission = await begin({ number, round }, ["cluster"]);
          if (admission.kind === "claimed") {
            note("enter " + number);
            await sleep(2);
            await journal.append(admission.claim, { step: "a", event: "done" });
            note("leave " + number);
            await journal.finish(admission.claim, "completed", {});
            break;
          }
          await sleep(1);
        }
      }
      await journal.close();`,
    );
    const notes = (await readFile(join(root, "notes"), "utf8")).trim().split("\n");
    expect(notes).toHaveLength(60);
    for (let i = 0; i < notes.length; i += 2) expect(notes[i]!.replace("enter", "leave")).toBe(notes[i + 1]);
    const journal = openJournal(homePaths(root));
    expect(await journal.list({ state: "completed", limit: 100 })).toHaveLength(30);
    expect(await journal.interrupted()).toEqual([]);
    await journal.close();
  });

  test("turns no process away because another one writes at the same moment", async () => {
    await processes(
      3,
      `${PREAMBLE}
      for (let round = 0; round < 80; round++) {
        const admission = await begin({ number, round }, ["cluster/" + number]);
        if (admission.kind !== "claimed") process.exit(2);
        await journal.append(admission.claim, { step: "a", event: "done" });
        await journal.finish(admission.claim, "completed", {});
      }
      await journal.close();`,
    );
    const journal = openJournal(homePaths(root));
    expect(await journal.list({ state: "completed", limit: 1000 })).toHaveLength(240);
    await journal.close();
  });

  test("lets one of several processes begin the very same run, and shows it to the others", async () => {
    await processes(3, `${PREAMBLE}\nnote((await begin({ the: "same" }, ["a"])).kind);\nawait journal.close();`);
    const notes = (await readFile(join(root, "notes"), "utf8")).trim().split("\n");
    expect(notes.toSorted()).toEqual(["claimed", "same", "same"]);
  });

  test("finds the runs of a process that was killed, and takes them over", async () => {
    await processes(1, `${PREAMBLE}\nawait begin({}, ["cluster"]);\nprocess.exit(0);`);
    const journal = openJournal(homePaths(root));
    const [run] = await journal.interrupted();
    expect(run).toMatchObject({ operation: "test.do", state: "running" });
    expect(await journal.takeOver(run!.id)).toEqual({ runId: run!.id, epoch: 2 });
    await journal.close();
  });

  test("refuses a file of a newer version, and leaves it as it is", async () => {
    const path = homePaths(root).journal;
    await openJournal(homePaths(root)).close();
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
    database.close();
    expect(() => openJournal(homePaths(root))).toThrow(/written by a newer homelab/);
    const again = new DatabaseSync(path, { readOnly: true });
    expect(again.prepare("PRAGMA user_version").get()).toEqual({ user_version: 99 });
    again.close();
  });

  test("brings a file of the first version to the newest, with its runs and their locks", async () => {
    const path = homePaths(root).journal;
    const database = new DatabaseSync(path);
    database.exec(schemaSteps[0]!);
    database.exec(`PRAGMA user_version = 1;
      INSERT INTO runs (id, operation, input, fingerprint, steps, state, caller, created_at, lease_until)
      VALUES ('op_1', 'test.do', '{}', 'x', '[]', 'running', 'test', '2026-01-01T00:00:00.000Z', 0);
      INSERT INTO locks (name, run_id) VALUES ('cluster', 'op_1')`);
    database.close();
    const journal = openJournal(homePaths(root));
    expect(await journal.list()).toMatchObject([{ id: "op_1", operation: "test.do" }]);
    const run = { operation: "test.other", input: {}, steps: [], locks: ["cluster/a"], caller: "test" };
    expect(await journal.begin({ id: newRunId(Date.now()), ...run })).toMatchObject({ kind: "locked" });
    await journal.close();
  });

  test("opens an existing file again with all that is in it", async () => {
    const journal = openJournal(homePaths(root));
    const id = newRunId(Date.now());
    await journal.begin({ id, operation: "test.do", input: {}, steps: ["a"], locks: [], caller: "test" });
    await journal.close();
    const again = openJournal(homePaths(root));
    expect(await again.get(id)).toMatchObject({ id, steps: ["a"] });
    await again.close();
    expect((await stat(homePaths(root).journal)).size).toBeGreaterThan(0);
  });
});
