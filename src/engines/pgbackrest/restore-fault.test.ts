import { expect, test } from "vitest";
import { restoreFault } from "./restore-fault.ts";

test("a file that was changed in the repository is the backup's fault, in pgBackRest's words", () => {
  // As pgBackRest 2.45 wrote it for eight bytes that were changed in a bundle.
  const lines = `/usr/bin/pgbackrest ended with 29: 2026-11-20 16:41:26.820 P00  ERROR: [029]: raised from local-1 protocol: lz4 error: [-18] ERROR_contentChecksum_invalid
                                    [FormatError] on retry after 0ms
                                    [FormatError] on retry after 15000ms
2026-11-20 16:41:26.820 P00   INFO: restore command end: aborted with exception [029]`;
  expect(restoreFault(lines)).toBe("lz4 error: [-18] ERROR_contentChecksum_invalid");
});

test("where the error itself was pushed out of the last lines, its code is still there", () => {
  expect(restoreFault("P00   INFO: restore command end: aborted with exception [026]")).toBe(
    "restore command end: aborted with exception [026]",
  );
});

test.each([
  ["a full disk", "ERROR: [064]: unable to write '/scratch/base/1': [28] No space left on device"],
  ["a repository that does not answer", "ERROR: [049]: unable to connect to 'minio:9000'"],
  ["another restore", "ERROR: [050]: unable to acquire lock on file"],
])("%s is no fault of the backup", (_, line) => {
  expect(restoreFault(line)).toBeUndefined();
});
