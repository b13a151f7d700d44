import { expect, test } from "vitest";
import { parseControlData } from "./control-data.ts";

test("a control file tells whose the data is, in which state, and on which timeline", () => {
  const text = [
    "pg_control version number:            1300",
    "Database system identifier:           7574321098765432109",
    "Database cluster state:               shut down",
    "Latest checkpoint's TimeLineID:       3",
    "Latest checkpoint's PrevTimeLineID:   2",
  ].join("\n");
  expect(parseControlData(text)).toEqual({
    systemIdentifier: "7574321098765432109",
    state: "shut down",
    timeline: 3,
  });
});
