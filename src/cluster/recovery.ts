import type { Parameters } from "./sizing.ts";

/** How far PostgreSQL replays the log (PostgreSQL manual, 20.5.6). */
export type RecoveryTarget =
  /** The last transaction that was committed at or before a moment (RFC 3339), up to and with a transaction, a position, a restore point. */
  | { type: "time" | "xid" | "lsn" | "name"; target: string }
  /** Only until it is consistent: the end of the backup. */
  | { type: "immediate" }
  /** All there is. */
  | { type: "default" };

/** PostgreSQL's settings for a target. What is reached is opened for writing, on a timeline of its own. */
export function recoveryParameters(recovery: RecoveryTarget, timeline: number): Parameters {
  return {
    ...targetOf(recovery),
    recovery_target_timeline: String(timeline),
    recovery_target_action: "promote",
    recovery_target_inclusive: true,
  };
}

function targetOf(recovery: RecoveryTarget): Parameters {
  if (recovery.type === "default") return {};
  if (recovery.type === "immediate") return { recovery_target: "immediate" };
  return { [`recovery_target_${recovery.type}`]: targetText(recovery) };
}

/**
 * The target as PostgreSQL reads it. A moment's zone has to be a number: names of zones, `Z` too, are not known yet when the
 * settings are read.
 */
export const targetText = ({ type, target }: Extract<RecoveryTarget, { target: string }>): string =>
  type === "time" ? target.replace("T", " ").replace(/Z$/, "+00") : target;
