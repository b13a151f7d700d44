import { expect, test } from "vitest";
import { readReplayLog } from "./recovery-server.ts";

const LOG = `2026-11-20 15:00:00.100 UTC LOG:  starting point-in-time recovery to 2026-11-20 14:59:00+00
2026-11-20 15:00:00.200 UTC LOG:  restored log file "000000010000000000000004" from archive
2026-11-20 15:00:00.300 UTC LOG:  restored log file "000000010000000000000005" from archive
2026-11-20 15:00:00.400 UTC LOG:  redo done at 0/5000110 system usage: CPU: user: 0.00 s, system: 0.00 s, elapsed: 0.05 s
2026-11-20 15:00:00.400 UTC LOG:  last completed transaction was at log time 2026-11-20 14:31:07.123456+00
`;

test("the log of a replay tells how far it came", () => {
  expect(readReplayLog(LOG)).toEqual({
    isReady: false,
    segments: 2,
    lastSegment: "000000010000000000000005",
    lastTransactionAt: "2026-11-20T14:31:07.123Z",
    endedBeforeTarget: false,
    fatal: undefined,
  });
});

test("that the moment to stop at never came is told from every other failure", () => {
  const text = `${LOG}2026-11-20 15:00:01 UTC FATAL:  recovery ended before configured recovery target was reached\n`;
  expect(readReplayLog(text)).toMatchObject({
    endedBeforeTarget: true,
    fatal: "recovery ended before configured recovery target was reached",
  });
});

test("sessions are let in once all is replayed", () => {
  const text = `${LOG}2026-11-20 15:00:01 UTC LOG:  database system is ready to accept connections\n`;
  expect(readReplayLog(text)).toMatchObject({ isReady: true, fatal: undefined });
});

test("a log without anything in it is no failure", () => {
  expect(readReplayLog("")).toMatchObject({ segments: 0, lastTransactionAt: undefined, fatal: undefined });
});
