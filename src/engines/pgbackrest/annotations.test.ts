import { expect, test } from "vitest";
import { sampleBackup } from "../../../tests/harness/sample-backups.ts";
import { faultOf, noteOf, toAnnotations } from "./annotations.ts";

test("notes are kept under names of our own, and read again", () => {
  const annotations = toAnnotations({ run: "op_1", note: "before the upgrade" });
  expect(annotations).toEqual({ "homelab-run": "op_1", "homelab-note": "before the upgrade" });
  expect(noteOf({ annotations }, "note")).toBe("before the upgrade");
  expect(noteOf({ annotations: { note: "somebody else's" } }, "note")).toBeUndefined();
});

test("a backup is bad when it is marked so, or when pgBackRest met broken pages", () => {
  const backup = sampleBackup("full", "2026-11-20T10:00:00Z");
  expect(faultOf(backup)).toBeUndefined();
  expect(faultOf({ ...backup, isBroken: true })).toContain("do not match their checksums");
  expect(faultOf({ ...backup, isBroken: true, annotations: toAnnotations({ bad: "1 file corrupt" }) })).toBe(
    "1 file corrupt",
  );
});
