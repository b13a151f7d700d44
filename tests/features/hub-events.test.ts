import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { Api } from "../harness/api.ts";
import { ask } from "../harness/clients.ts";
import { TestHome } from "../harness/home.ts";

let home: TestHome;
let api: Api;

beforeAll(async () => {
  home = await TestHome.up();
  api = Api.network(home).withKey(await home.secret("dashboard_api_key"));
});
afterAll(() => home?.destroy());

interface Seen {
  id?: string;
  event: string;
  data: Record<string, unknown>;
}

/** The events of a stream's text (HTML Standard, 9.2.6). */
function eventsOf(text: string): Seen[] {
  const blocks = text.split("\n\n").map((block) => block.split("\n"));
  return blocks.flatMap((lines) => {
    const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const [event, data] = [field("event"), field("data")];
    return event && data ? [{ id: field("id"), event, data: JSON.parse(data) as Seen["data"] }] : [];
  });
}

const follow = async (id: string, last?: string): Promise<Seen[]> => {
  const from = last === undefined ? api : api.with({ "last-event-id": last });
  const stream = await from.stream(`/api/operations/${id}/events`);
  await waitUntil(async () => stream.ended(), { timeout: 60, what: "the stream ends with the operation" });
  return eventsOf(stream.text());
};

test("long work is accepted with where to follow it; two watchers see the same, step by step, to its end", async () => {
  await api.post("/api/databases", { database_name: "watched" });
  const accepted = await api.delete("/api/databases/watched");
  const { id, state } = accepted.json<{ id: string; state: string }>();
  expect(accepted).toMatchObject({ status: 202, headers: { location: `/api/operations/${id}` } });
  expect(state).toBe("running");
  const [one, two] = await Promise.all([follow(id), follow(id)]);
  const steps = (events: Seen[]) => events.filter(({ event }) => event === "step");
  expect(steps(one)).toEqual(steps(two));
  expect(steps(one).map(({ data }) => `${String(data["step"])} ${String(data["event"])}`)).toContain("keep-dump done");
  expect(one.at(-1)).toMatchObject({ event: "end", data: { id, state: "completed" } });

  const half = steps(one)[3]!;
  const resumed = await follow(id, half.id);
  expect(steps(resumed)).toEqual(steps(one).slice(4));
  const log = (await api.get(`/api/operations/${id}/log?after=${half.id}`)).json<{
    items: unknown[];
    completed: boolean;
  }>();
  expect(log).toMatchObject({ completed: true });
  expect(log.items).toHaveLength(steps(one).length - 4);
});

test("?wait answers with the end, and the same call answers 202 all the same", async () => {
  const undeleted = await api.post("/api/databases/watched/undelete?wait=30");
  expect(undeleted.status).toBe(202);
  expect(undeleted.json()).toMatchObject({ state: "completed", result: { database: "watched" } });
  const again = await api.post(`/api/operations/${undeleted.json<{ id: string }>().id}/retry?wait=30`);
  // It was brought back: there is nothing deleted of that name any more.
  expect(again).toMatchObject({ status: 404, code: "not_found" });
  expect((await api.post(`/api/operations/${undeleted.json<{ id: string }>().id}/cancel`)).code).toBe("already_ended");
});

test("a cancelled operation stops at its next step and takes back what it did", async () => {
  const made = await api.post("/api/databases", { database_name: "kept" });
  const url = made.json<{ pooled_url: string }>().pooled_url;
  await ask(url, "CREATE TABLE filler (noise text)");
  await ask(url, "INSERT INTO filler SELECT md5(n::text) || md5((n + 1)::text) FROM generate_series(1, 900000) n");
  const { id } = (await api.delete("/api/databases/kept")).json<{ id: string }>();
  const isDumping = async () =>
    (await api.get(`/api/operations/${id}`)).json<{ current_step: string }>().current_step === "keep-dump";
  await waitUntil(isDumping, { timeout: 10, every: 10, what: "the dump is being written" });
  expect((await api.post(`/api/operations/${id}/cancel`)).json()).toMatchObject({ cancel_requested: true });
  expect((await api.get(`/api/operations/${id}?wait=30`)).json()).toMatchObject({ state: "cancelled" });
  expect(await ask(url, "SELECT count(*)::int AS n FROM filler")).toEqual([{ n: 900_000 }]);
});

test("the feed of all says what happens, from where one was cut off, and shows a sign of life", async () => {
  const stream = await api.stream("/api/events");
  // It is followed from now on.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const make = async (name: string): Promise<string> => {
    const begun = await api.post("/api/operations", { operation: "database.provision", input: { name } });
    return begun.json<{ id: string }>().id;
  };
  const endOf = (text: string, id: string) =>
    eventsOf(text).find(
      ({ event, data }) => event === "operation" && data["id"] === id && data["state"] === "completed",
    );
  const told = async (watched: typeof stream, id: string): Promise<Seen> =>
    waitUntil(async () => endOf(watched.text(), id), { timeout: 10, every: 20, what: "the feed tells the end" });
  const first = await told(stream, await make("told"));
  const second = await make("told_again");
  const seen = await told(stream, second);
  const other = await api.with({ "last-event-id": first.id! }).stream("/api/events");
  expect(await told(other, second)).toEqual(seen);
  expect(endOf(other.text(), String(first.data["id"]))).toBeUndefined();
  await waitUntil(async () => stream.text().includes("\n: here\n"), { timeout: 20, what: "the heartbeat" });
  stream.close();
  other.close();
});
