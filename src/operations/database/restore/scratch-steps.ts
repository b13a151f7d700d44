import { formatBytes, formatSeconds } from "../../../core/units.ts";
import { SEGMENT_BYTES } from "../../../engines/pgbackrest/wal.ts";
import { archiveNow } from "../../../site/archive-now.ts";
import { expectedTime, noteSpeed } from "../../../site/restore-speed.ts";
import { removeScratch } from "../../../site/scratch.ts";
import type { Step } from "../../operation.ts";
import { choose, filesBytes, forecastOf, type Choice } from "./forecast.ts";
import { newName, type RestoreInput } from "./input.ts";
import { bringFiles, choiceOf, replayLog } from "./open-scratch.ts";

/** Which backup it is, for the whole run: a newer one that is made meanwhile changes nothing. */
export const chooseBackup: Step<RestoreInput> = {
  name: "choose-backup",
  async plan(context) {
    const { restore, needs } = await forecastOf(context);
    const { database } = context.input;
    const then = restore.as_of ? `as it was at ${restore.as_of}` : "as the target says";
    return `${database}, ${then}, from ${restore.label} (${restore.repository}); needs ${formatBytes(needs)} of disk; ${database} itself is not touched`;
  },
  async run({ input, site, signal }) {
    let choice = await choose(site, input, signal);
    if (!choice.restore.in_archive) {
      const now = new Date(site.clock.now()).toISOString();
      choice = await choose(site, input, signal, await archiveNow(site, signal));
      choice.restore.as_of ??= choice.restore.recovery.type === "default" ? now : null;
    }
    const { label, repository, wal_bytes: bytes } = choice.restore;
    const segments = Math.round(bytes / SEGMENT_BYTES);
    return { says: `${label} (${repository}) and ${segments} segments of WAL`, output: choice satisfies Choice };
  },
  deadline: 150,
};

/** From the repository into a folder of this run's own. */
export const restoreFilesStep: Step<RestoreInput> = {
  name: "restore-files",
  async plan(context) {
    const forecast = await forecastOf(context);
    const bytes = filesBytes(forecast);
    const what = forecast.alone ? `the files of ${context.input.database} alone` : "the whole cluster";
    return `restore ${what} into scratch: ${formatBytes(bytes)}, ${expectedTime(bytes, forecast.speeds.restore)}`;
  },
  async run(context) {
    const begun = performance.now();
    await bringFiles(context);
    const seconds = (performance.now() - begun) / 1000;
    const bytes = filesBytes(choiceOf(context));
    await noteSpeed(context.site, "restore", bytes, seconds);
    return { says: `${formatBytes(bytes)} in ${formatSeconds(seconds)}`, output: { bytes, seconds } };
  },
  undo: ({ site, runId }) => removeScratch(site, runId),
  deadline: 300,
};

/** What came of the replay, for the result. */
export type ReplayedLog = { segments: number; seconds: number; reached: boolean; lastTransactionAt: string | null };

/** PostgreSQL itself, beside the live one, for itself alone. */
export const replay: Step<RestoreInput> = {
  name: "replay",
  async plan(context) {
    const { restore, speeds } = await forecastOf(context);
    const segments = Math.round(restore.wal_bytes / SEGMENT_BYTES);
    return `replay ${segments} segments of WAL there, ${expectedTime(restore.wal_bytes, speeds.replay)}`;
  },
  async run(context) {
    // The files may have been lost with the machine since.
    await bringFiles(context);
    const { segments, seconds, reached, lastTransactionAt } = await replayLog(context);
    await noteSpeed(context.site, "replay", segments * SEGMENT_BYTES, seconds);
    const last = lastTransactionAt ? `, the last transaction of ${lastTransactionAt}` : "";
    const output: ReplayedLog = { segments, seconds, reached, lastTransactionAt };
    return { says: `${segments} segments in ${formatSeconds(seconds)}${last}`, output };
  },
  deadline: 300,
};

/** Whatever became of the run, nothing of it stays. */
export const removeScratchStep: Step<RestoreInput> = {
  name: "remove-scratch",
  plan: ({ input }) => `remove the scratch; then look at ${newName(input)}, and switch to it or discard it`,
  async run({ site, runId }) {
    await removeScratch(site, runId);
    return { says: "nothing of it is left" };
  },
  deadline: 120,
};
