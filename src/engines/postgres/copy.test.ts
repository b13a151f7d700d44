import { expect, test } from "vitest";
import { leftOutOf } from "./copy.ts";

const SAID = `pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 3; 3456 16402 EVENT TRIGGER watch postgres
pg_restore: error: could not execute query: ERROR:  permission denied to create event trigger "watch"
HINT:  Must be superuser to create an event trigger.
Command was: CREATE EVENT TRIGGER watch ON ddl_command_end
pg_restore: from TOC entry 3391; 0 0 COMMENT EXTENSION pg_trgm
pg_restore: error: could not execute query: ERROR:  must be owner of extension pg_trgm
Command was: COMMENT ON EXTENSION pg_trgm IS 'text similarity';
pg_restore: from TOC entry 3400; 0 16410 TABLE DATA note shop_owner
pg_restore: error: COPY failed for table "note": ERROR:  value too long
pg_restore: warning: errors ignored on restore: 3
`;

test("what could not be made is named with its reason, and what the superuser makes is not counted", () => {
  expect(leftOutOf(SAID)).toEqual([
    { what: "EVENT TRIGGER watch postgres", why: 'permission denied to create event trigger "watch"' },
    { what: "TABLE DATA note shop_owner", why: "value too long" },
  ]);
});
