import { describe, expect, test } from "vitest";
import { sampleBackup, sampleCatalogue, sampleSegments } from "../../tests/harness/sample-backups.ts";
import { sampleStorage, sampleTopology } from "../../tests/harness/sample-topology.ts";
import type { BackupInfo } from "../engines/pgbackrest/info.ts";
import type { RepositoryCatalogue } from "../site/backup-catalogue.ts";
import type { Site } from "../site/site.ts";
import { backupHealth } from "./backup-health.ts";

const at = (text: string): number => new Date(`2026-11-${text}`).getTime();
const iso = (text: string): string => new Date(at(text)).toISOString();
const OFF = "database: {backup_schedule_full: 'off', backup_schedule_diff: 'off', backup_schedule_incr: 'off'}";
const BOOTSTRAPPED = at("19T09:00:00");

const full = sampleBackup("full", iso("20T02:00:05"), { wal: [2, 3] });
const incr = sampleBackup("incr", iso("20T10:00:05"), { full, wal: [10, 10] });

const seen = (backups: BackupInfo[], { now = "20T10:30:00", without = [] as number[] } = {}) =>
  sampleCatalogue(backups, sampleSegments(1, 20, iso("20T10:20:00"), { without }), iso(now));

function judge(catalogues: RepositoryCatalogue[], now = "20T10:30:00", yaml = "", bootstrapped = BOOTSTRAPPED) {
  const site = { topology: sampleTopology(yaml), clock: { now: () => at(now) } } as unknown as Site;
  return backupHealth(site, { catalogues, observedAt: iso(now) }, bootstrapped);
}

describe("backups", () => {
  test("are well while the last one is good and in time", () => {
    expect(judge([seen([full, incr])])).toMatchObject({
      state: "ok",
      says: "the last 29 min 52 s ago, not proven yet",
    });
  });

  test("of a fresh home are awaited for a while, and missed then", () => {
    expect(judge([seen([])], "20T10:30:00", "", at("20T10:25:00"))).toMatchObject({
      state: "ok",
      says: "the first one is being made",
    });
    expect(judge([seen([])])).toMatchObject({ state: "down", says: "local has no backup that can be relied on" });
  });

  test("that nobody wants are no trouble, and said", () => {
    expect(judge([seen([])], "20T10:30:00", OFF)).toMatchObject({
      state: "ok",
      says: "none is made by itself: off in the settings",
    });
    expect(judge([seen([full])], "25T10:30:00", OFF).state).toBe("ok");
  });

  test("that are late by more than an hour and a half are named with the time that they were due", () => {
    expect(judge([seen([full, incr])], "20T12:15:00").state).toBe("ok");
    const late = judge([seen([full, incr])], "20T12:35:00");
    expect(late.state).toBe("degraded");
    expect(late.says).toContain(`one was due at ${iso("20T11:00:00")}`);
  });

  test("F61: behind a gap are an alarm until there is a full one after it", () => {
    const alarm = judge([seen([full, incr], { without: [15] })]);
    expect(alarm).toMatchObject({ state: "down" });
    expect(alarm.says).toContain(
      "the WAL segment 00000001000000000000000F is missing, and there is no full backup after",
    );
    const after = sampleBackup("full", iso("20T10:19:00"), { wal: [19, 19] });
    const healed = judge([seen([full, incr, after], { without: [15] })]);
    expect(healed).toMatchObject({ state: "ok" });
    expect(healed.says).toContain("00000001000000000000000F is missing, before a newer full one");
  });

  test("F60: that are bad are an alarm", () => {
    const bad = { ...incr, annotations: { "homelab-bad": "1 file corrupt in the repository" } };
    const alarm = judge([seen([full, bad])]);
    expect(alarm.state).toBe("down");
    expect(alarm.says).toContain(`${incr.label}: 1 file corrupt in the repository`);
    expect(alarm.hint).toContain("homelab db backup full");
  });

  test("in one repository of two that cannot be read leave the other one's", () => {
    const away = { ...seen([]), repository: { ...sampleStorage.repositories[0]!, name: "minio" }, trouble: "no route" };
    const half = judge([seen([full, incr]), away]);
    expect(half).toMatchObject({ state: "degraded", says: "the repository minio cannot be read: no route" });
    expect(judge([away]).state).toBe("down");
  });

  test("in a repository that takes nothing any more are named, with what to do", () => {
    const short = { ...seen([full, incr]), warning: "its disk is full", hint: "Free some space." };
    expect(judge([short])).toMatchObject({
      state: "degraded",
      says: "local: its disk is full",
      hint: "Free some space.",
    });
  });

  test("that were seen long ago are not known", () => {
    const site = { topology: sampleTopology(), clock: { now: () => at("20T10:30:00") } } as unknown as Site;
    const old = { catalogues: [seen([full, incr])], observedAt: iso("20T10:20:00") };
    expect(backupHealth(site, old, BOOTSTRAPPED).state).toBe("unknown");
  });
});
