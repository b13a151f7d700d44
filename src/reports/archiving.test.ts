import { describe, expect, test } from "vitest";
import { settingsFrom } from "../../tests/harness/sample-topology.ts";
import { archivingHealth, type Archiving } from "./archiving.ts";

const NOW = Date.parse("2026-11-20T12:00:00Z");
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

const WELL: Archiving = {
  last_segment: "000000010000000000000005",
  last_archived_at: ago(20),
  waiting_segments: 0,
  waiting_bytes: 0,
  waits_since: null,
  failing_since: null,
  error: null,
  wal_bytes: 64_000_000,
  free_bytes: 10_000_000_000,
  hours_left: null,
};

const judge = (more: Partial<Archiving>) => archivingHealth({ ...WELL, ...more }, settingsFrom(), NOW);

describe("archiving", () => {
  test("is well while nothing waits, however long nothing was written", () => {
    expect(judge({})).toMatchObject({ state: "ok", says: "last WAL 000000010000000000000005, 20 s ago, 0 waiting" });
    expect(judge({ last_archived_at: ago(90_000) }).state).toBe("ok");
    expect(judge({ last_segment: null, last_archived_at: null })).toMatchObject({ state: "ok" });
  });

  test("is well with what is just being sent", () => {
    expect(judge({ waiting_segments: 3, waits_since: ago(4) }).state).toBe("ok");
  });

  test("is in trouble when a segment waits for long, though no failure was counted", () => {
    const seen = judge({ waiting_segments: 1, waits_since: ago(40) });
    expect(seen).toMatchObject({ state: "degraded", says: "1 segment waits, the oldest for 40 s; 10 GB free" });
    expect(seen.hint).toContain("homelab logs archiving");
  });

  test("is in trouble as soon as a failure was counted and nothing arrived since", () => {
    const seen = judge({ waiting_segments: 1, waits_since: ago(2), failing_since: ago(1), error: "no such bucket" });
    expect(seen).toMatchObject({ state: "degraded" });
    expect(seen.says).toContain("no such bucket");
  });

  test("is urgent when the disk is full soon, or when nothing arrived for an hour", () => {
    const soon = judge({ waiting_segments: 40, waits_since: ago(60), hours_left: 2.5 });
    expect(soon).toMatchObject({ state: "down" });
    expect(soon.says).toContain("full in 2 h 30 min at this rate");
    expect(judge({ waiting_segments: 9, waits_since: ago(4000), hours_left: 500 }).state).toBe("down");
  });
});
