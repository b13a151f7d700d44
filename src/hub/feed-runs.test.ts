import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Feed } from "../api/feed.ts";
import { homePaths } from "../cluster/home.ts";
import { newRunId } from "../core/ids.ts";
import { ensureFolder } from "../host/files.ts";
import type { Journal } from "../journal/journal.ts";
import { openJournal } from "../journal/open.ts";
import { feedRuns } from "./feed-runs.ts";

let root: string;
let journal: Journal;
const end = new AbortController();

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "hl-feed-"));
  await ensureFolder(homePaths(root).state, 0o700);
  journal = openJournal(homePaths(root));
});
afterEach(async () => {
  end.abort();
  await journal.close();
  await rm(root, { recursive: true });
});

async function runOnce(operation: string): Promise<string> {
  const id = newRunId(Date.now());
  const admission = await journal.begin({ id, operation, input: {}, steps: [], locks: [], caller: "test" });
  if (admission.kind !== "claimed") throw new Error(admission.kind);
  await journal.finish(admission.claim, "completed", {});
  return id;
}

test("what began and ended before the first look is told to who watched by then, and what ended before is not", async () => {
  await runOnce("test.before");
  await new Promise((resolve) => setTimeout(resolve, 5));
  const feed = new Feed();
  const messages = feed.follow(undefined, end.signal);
  const first = messages.next();
  const id = await runOnce("test.meanwhile");
  void feedRuns(journal, feed, end.signal);
  expect((await first).value).toMatchObject({ event: "operation", data: { id, state: "completed" } });
});
