import { describe, expect, test } from "vitest";
import { parseInfo } from "./info.ts";

const backup = (label: string, type: string, stop: number, more: object = {}) => ({
  annotation: { "homelab-run": "op_1" },
  archive: { start: "000000010000000000000002", stop: "000000010000000000000003" },
  backrest: { format: 5, version: "2.45" },
  database: { id: 1, "repo-key": 1 },
  error: false,
  info: { delta: 300, repository: { delta: 40, size: 50 }, size: 400 },
  label,
  lsn: { start: "0/2000028", stop: "0/3000100" },
  prior: null,
  reference: null,
  timestamp: { start: stop - 3, stop },
  type,
  ...more,
});

const stanza = {
  backup: [
    backup("20261120-103000F_20261120-113000I", "incr", 1_763_638_203, {
      reference: ["20261120-103000F"],
      error: true,
    }),
    backup("20261120-103000F", "full", 1_763_634_603),
    backup("20261120-104000F", "full", 1_763_635_203, { database: { id: 1, "repo-key": 2 }, annotation: null }),
  ],
  cipher: "aes-256-cbc",
  db: [
    { id: 1, "repo-key": 1, "system-id": 7, version: "14" },
    { id: 2, "repo-key": 1, "system-id": 8, version: "15" },
    { id: 1, "repo-key": 2, "system-id": 8, version: "15" },
  ],
  name: "homelab",
  repo: [
    { cipher: "aes-256-cbc", key: 1, status: { code: 0, message: "ok" } },
    { cipher: "none", key: 2, status: { code: 2, message: "no valid backups" } },
  ],
  status: {
    code: 4,
    lock: { backup: { held: true, size: 1000, "size-cplt": 250 } },
    message: "different across repos",
  },
};

describe("what pgBackRest tells of its repositories", () => {
  const { repositories, backups, running } = parseInfo(JSON.stringify([stanza]));

  test("is one state a repository, with the incarnation that is kept there now", () => {
    expect(repositories).toEqual([
      { number: 1, code: 0, message: "ok", archiveId: "15-2" },
      { number: 2, code: 2, message: "no valid backups", archiveId: "15-1" },
    ]);
  });

  test("is the backups of all of them, the oldest first, each with the incarnation that it is of", () => {
    expect(backups.map(({ label, repository, archiveId }) => [label, repository, archiveId])).toEqual([
      ["20261120-103000F", 1, "14-1"],
      ["20261120-104000F", 2, "15-1"],
      ["20261120-103000F_20261120-113000I", 1, "14-1"],
    ]);
    expect(backups[2]).toMatchObject({
      isBroken: true,
      references: ["20261120-103000F"],
      storedBytes: 50,
      addedBytes: 40,
    });
    expect(backups[1]).toMatchObject({ isBroken: false, annotations: {}, references: [] });
    expect(backups[0]!.stoppedAt).toBe(new Date(1_763_634_603_000).toISOString());
  });

  test("is how far a backup is that is being made", () => {
    expect(running).toEqual({ done: 250, total: 1000 });
    const status = { code: 0, lock: { backup: { held: false } }, message: "ok" };
    expect(parseInfo(JSON.stringify([{ ...stanza, status }])).running).toBeUndefined();
  });

  test("may be nothing at all, or a stanza that nobody has made", () => {
    expect(parseInfo("[]")).toEqual({ repositories: [], backups: [], running: undefined });
    const missing = { name: "homelab", repo: [{ key: 1, status: { code: 1, message: "missing stanza path" } }] };
    expect(parseInfo(JSON.stringify([{ ...missing, backup: [], db: [] }])).repositories).toEqual([
      { number: 1, code: 1, message: "missing stanza path", archiveId: undefined },
    ]);
  });

  test("is refused where it is not what the manual promises", () => {
    expect(() => parseInfo(JSON.stringify([{ ...stanza, backup: [{ label: 3 }] }]))).toThrow();
  });
});
