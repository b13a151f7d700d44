import { removeScratch } from "../../site/scratch.ts";
import type { Bracket, Operation } from "../operation.ts";
import { writeMark } from "../steps/write-mark.ts";
import { checkStructure, readTables } from "./verify-content.ts";
import { giveVerdict, noteResult, notedResult } from "./verify-result.ts";
import { replayStep, restoreStep } from "./verify-restore.ts";
import { canBeProven, chooseTarget, verifyInput, type VerifyInput } from "./verify-target.ts";

/** A copy of the cluster beside it, which goes whatever comes of it. */
const inScratch: Bracket<VerifyInput> = {
  kind: "bracket",
  name: "copy-beside",
  // The first step makes it.
  enter: async () => {},
  exit: ({ site, runId }) => removeScratch(site, runId),
  steps: [restoreStep, replayStep, checkStructure, readTables],
};

/** Proves a backup by what it is for: it is restored, replayed to a second, checked, read, and compared. */
export const backupVerify: Operation<VerifyInput> = {
  name: "backup.verify",
  summary:
    "Prove a backup: restore it beside the cluster, replay to a second, check every page, read and compare every table",
  title: ({ backup }) => `Prove ${backup ?? "the newest backup"}`,
  scope: "operate",
  route: { method: "POST", path: "/api/proofs" },
  command: "db verify",
  input: verifyInput,
  // One at a time. Backups go on meanwhile: they take a lock of their own.
  locks: () => ["proof"],
  guards: [canBeProven],
  steps: [writeMark, chooseTarget, inScratch, noteResult, giveVerdict],
  result: async (context) => ({ ...notedResult(context) }),
};
