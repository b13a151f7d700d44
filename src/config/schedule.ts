import { Cron } from "croner";

/** What the settings say where something is never done by itself. */
export const OFF = "off";

const SECOND = 1000;

/** A schedule as croner reads it: in the machine's time zone, with its changes of summer and winter time. */
const cronOf = (schedule: string): Cron | undefined =>
  schedule === OFF ? undefined : new Cron(schedule, { mode: "5-part" });

/** The newest moment of a schedule that has come, in milliseconds since 1970; undefined where there is none. */
export function lastMoment(schedule: string, now: number): number | undefined {
  // Croner looks before its reference, to the second.
  return cronOf(schedule)
    ?.previousRuns(1, new Date(now + SECOND))[0]
    ?.getTime();
}

/** The next moment of a schedule, in milliseconds since 1970; undefined where there is none. */
export const nextMoment = (schedule: string, now: number): number | undefined =>
  cronOf(schedule)?.nextRun(new Date(now))?.getTime();

/** Whether a moment of the schedule has come since something was done. What never was done is due at its next moment. */
export function hasPassed(schedule: string, since: number, now: number): boolean {
  const moment = lastMoment(schedule, now);
  return moment !== undefined && moment > since;
}
