import { describe, expect, test } from "vitest";
import { messageText } from "../../api/events.ts";
import { readEvents, type ServerEvent } from "./events.ts";

/** Reads a text as a stream of pieces of so many bytes. */
async function read(text: string, size: number): Promise<ServerEvent[]> {
  const bytes = Buffer.from(text);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const events: ServerEvent[] = [];
  for await (const event of readEvents(pieces())) events.push(event);
  return events;
}

const SENT = [
  { id: "7", event: "step", data: { says: "größer: ✓" } },
  { event: "progress", data: { done: 1, total: null } },
  { id: "8", event: "end", data: { text: "two\nlines: and a colon\r\n\r\n" } },
];

describe("a stream of events", () => {
  const text = `retry: 1000\n\n${SENT.map(messageText).join(": here\n\n")}`;

  test.each([1, 2, 3, 7, 1000])("is read as our server wrote it, in pieces of %i bytes", async (size) => {
    expect(await read(text, size)).toEqual(SENT.map((event) => ({ id: undefined, ...event })));
  });

  test("that breaks off has no half event", async () => {
    expect(await read(text.slice(0, -1), 5)).toHaveLength(SENT.length - 1);
  });

  test("without a name is a message, as the standard has it", async () => {
    expect(await read("data: 1\n\n", 4)).toEqual([{ id: undefined, event: "message", data: 1 }]);
  });
});
