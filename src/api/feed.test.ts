import { describe, expect, test } from "vitest";
import type { Message } from "./call.ts";
import { Feed } from "./feed.ts";

/** The next events of a follower. */
async function take(events: AsyncGenerator<Message>, count: number): Promise<Message[]> {
  const taken: Message[] = [];
  while (taken.length < count) taken.push((await events.next()).value as Message);
  return taken;
}

describe("the feed", () => {
  test("gives everybody the same events, from when they came on", async () => {
    const feed = new Feed();
    feed.publish("operation", 0);
    const [one, two] = [
      feed.follow(undefined, new AbortController().signal),
      feed.follow(undefined, new AbortController().signal),
    ];
    const both = Promise.all([take(one, 2), take(two, 2)]);
    await Promise.resolve();
    feed.publish("operation", 1);
    feed.publish("operation", 2);
    const [first, second] = await both;
    expect(first.map(({ data }) => data)).toEqual([1, 2]);
    expect(second).toEqual(first);
  });

  test("is resumed behind the last event that was seen", async () => {
    const feed = new Feed();
    const follower = feed.follow(undefined, new AbortController().signal);
    const first = take(follower, 1);
    await Promise.resolve();
    for (const n of [1, 2, 3]) feed.publish("operation", n);
    const [{ id }] = (await first) as [Message];
    expect((await take(feed.follow(id, new AbortController().signal), 2)).map(({ data }) => data)).toEqual([2, 3]);
  });

  test("says so when it cannot know what was missed", async () => {
    const feed = new Feed();
    for (let n = 0; n < 1100; n++) feed.publish("operation", n);
    for (const last of ["other-5", "nonsense", ""])
      expect(await take(feed.follow(last, new AbortController().signal), 1)).toMatchObject([{ event: "reset" }]);
  });

  test("ends with its follower, and keeps nobody", async () => {
    const feed = new Feed();
    const gone = new AbortController();
    const follower = feed.follow(undefined, gone.signal);
    const next = follower.next();
    await Promise.resolve();
    expect(feed.followedSince).toBeDefined();
    gone.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(feed.followedSince).toBeUndefined();
  });
});
