import { describe, expect, test } from "vitest";
import { HomelabError } from "../core/errors.ts";
import type { Json } from "../core/json.ts";
import type { PlatformDatabase } from "../store/database.ts";
import type { Spool } from "../store/spool.ts";
import { Audit } from "./audit.ts";

/** A database that is away, and a spool on a disk that may be full. */
function makeAudit() {
  const disk = { isFull: false };
  const spooled: Json[] = [];
  const database = {
    session: () => Promise.reject(new HomelabError("platform_database_away", "away")),
  } as Partial<PlatformDatabase> as PlatformDatabase;
  const spool = {
    count: () => spooled.length,
    put(_kind: string, _id: string, payload: Json) {
      if (disk.isFull) throw new Error("disk I/O error");
      spooled.push(payload);
    },
    drain: async () => 0,
  } as Partial<Spool> as Spool;
  const audit = new Audit({ database, spool, clock: { now: () => 0 } });
  const record = (action: string) => audit.record({ actor: "x", action, result: "done" });
  return { audit, disk, record, actions: () => spooled.map((entry) => (entry as { action: string }).action) };
}

describe("with the database away", () => {
  test("lines wait in the spool", async () => {
    const { record, actions } = makeAudit();
    await record("a.one");
    await record("a.two");
    expect(actions()).toEqual(["a.one", "a.two"]);
  });

  test("and the disk full, they wait in memory, and keep their order", async () => {
    const { audit, disk, record, actions } = makeAudit();
    await record("a.one");
    disk.isFull = true;
    await record("a.two");
    await record("a.three");
    expect(actions()).toEqual(["a.one"]);
    disk.isFull = false;
    await record("a.four");
    expect(actions()).toEqual(["a.one", "a.two", "a.three", "a.four"]);
    disk.isFull = true;
    await record("a.five");
    disk.isFull = false;
    await audit.drain();
    expect(actions().at(-1)).toBe("a.five");
  });

  test("and the disk full for long, nothing more is done that leaves no line", async () => {
    const { disk, record } = makeAudit();
    disk.isFull = true;
    for (let i = 0; i < 1000; i++) await record(`a.${i}`);
    await expect(record("one.more")).rejects.toThrow("disk I/O error");
  });
});

test("a change that was refused is noted with the reason, and refused", async () => {
  const { audit, actions } = makeAudit();
  const actor = { kind: "local", name: "cli:root", role: "admin", scopes: ["admin"], address: null } as const;
  const refused = audit.recorded({ actor, requestId: null }, { action: "user.delete" }, async () => {
    throw new HomelabError("last_admin", "no");
  });
  await expect(refused).rejects.toMatchObject({ code: "last_admin" });
  expect(actions()).toEqual(["user.delete"]);
});
