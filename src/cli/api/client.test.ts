import { describe, expect, test } from "vitest";
import { messageText } from "../../api/events.ts";
import { HomelabError } from "../../core/errors.ts";
import { Api } from "./client.ts";
import { ConnectionFailed, type ApiRequest, type ApiResponse, type Transport } from "./transport.ts";

/** An answer in one piece. */
function answer(status: number, body: unknown, headers: Record<string, string> = {}): ApiResponse {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text);
  }
  return { status, headers, body: bytes() };
}

const problem = (status: number, code: string, more: object = {}, headers?: Record<string, string>) =>
  answer(status, { type: `urn:homelab:error:${code}`, status, code, detail: `it is ${code}`, ...more }, headers);

/** An API that gives these answers, one after the other, and notes what it was asked. */
function apiOf(...answers: (ApiResponse | Error)[]): { api: Api; asked: ApiRequest[] } {
  const asked: ApiRequest[] = [];
  const transport: Transport = {
    where: "http://hub.lan:5000",
    send: async (request) => {
      asked.push(request);
      const next = answers.shift() ?? new Error("nothing more to answer");
      if (next instanceof Error) throw next;
      return next;
    },
    close: async () => {},
  };
  return { api: new Api(transport), asked };
}

const failure = async (work: Promise<unknown>): Promise<HomelabError> => {
  const error = await work.then(
    () => new Error("it went well"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HomelabError);
  return error as HomelabError;
};

const show = (api: Api, name = "shop") => api.call("GET /api/databases/{name}", { params: { name } });

describe("a call", () => {
  test("puts what it was given where the route has its place, safely", async () => {
    const { api, asked } = apiOf(answer(200, { name: "x" }));
    await api.call("GET /api/databases/{name}/url", { params: { name: "../a b?c=1#d" }, query: { host: "db.lan" } });
    expect(asked[0]).toMatchObject({ method: "GET", path: "/api/databases/..%2Fa%20b%3Fc%3D1%23d/url?host=db.lan" });
  });

  test("leaves out what is not given, and sends a body as JSON", async () => {
    const { api, asked } = apiOf(answer(202, {}));
    await api.call("POST /api/operations", { query: { wait: undefined }, body: { operation: "a.b", input: {} } });
    expect(asked[0]).toMatchObject({ path: "/api/operations", body: '{"operation":"a.b","input":{}}' });
    expect(asked[0]!.headers["content-type"]).toBe("application/json");
  });

  test("with an empty name would be another route, and is none", async () => {
    const { api, asked } = apiOf();
    expect(await failure(show(api, ""))).toMatchObject({ code: "usage" });
    expect(asked).toEqual([]);
  });

  test("without a body in the answer answers nothing", async () => {
    const { api } = apiOf(answer(204, ""));
    expect(await api.call("DELETE /api/keys/{prefix}", { params: { prefix: "abc" } })).toBeUndefined();
  });
});

describe("a problem", () => {
  test("becomes the error that it tells of, with its hint and its fields", async () => {
    const errors = [{ field: "name", message: "too long" }];
    const { api } = apiOf(problem(422, "input_invalid", { hint: "Make it shorter.", errors }));
    expect(await failure(show(api))).toMatchObject({
      code: "input_invalid",
      message: "it is input_invalid",
      hint: "Make it shorter.",
      errors,
    });
  });

  test("of a newer version, whose code is not known here, has failed", async () => {
    for (const code of ["not_invented_yet", "toString", "__proto__"]) {
      const { api } = apiOf(problem(418, code));
      expect((await failure(show(api))).code).toBe("failed");
    }
  });

  test("on the hub's own side says where its log tells more", async () => {
    const { api } = apiOf(problem(500, "failed", { request_id: "req_abc" }));
    expect((await failure(show(api))).hint).toContain("req_abc");
  });

  test.each([
    [401, "<html>", "not_allowed"],
    [403, "<html>", "not_allowed"],
    [404, "<html>", "failed"],
    [502, "Bad Gateway", "not_running"],
    [500, "[]", "failed"],
  ])("that no hub made (%i %s) is told as a stranger's", async (status, text, code) => {
    const { api } = apiOf(answer(status, text));
    const error = await failure(show(api));
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(`http://hub.lan:5000 answers ${status}`);
  });

  test("that is a redirect is not followed, and names where it leads", async () => {
    const { api, asked } = apiOf(answer(302, "", { location: "https://elsewhere.example/login" }));
    expect((await failure(show(api))).message).toContain("https://elsewhere.example/login");
    expect(asked).toHaveLength(1);
  });

  test("for a key that is not known says so", async () => {
    const { api } = apiOf(problem(401, "not_signed_in"));
    expect(await failure(show(api))).toMatchObject({ code: "not_signed_in", hint: expect.stringContaining("KEY") });
  });

  test("that is no JSON although all went well is told, too", async () => {
    const { api } = apiOf(answer(200, "<html>"));
    expect((await failure(show(api))).message).toContain("does not answer as a hub");
  });
});

describe("what stands in the way for a while", () => {
  const soon = { "retry-after": "1" };

  test.each(["busy", "no_leader"])("%s, is waited for", async (code) => {
    const { api, asked } = apiOf(
      problem(423, code, {}, soon),
      problem(423, code, {}, soon),
      answer(200, { name: "x" }),
    );
    expect(await show(api)).toEqual({ name: "x" });
    expect(asked).toHaveLength(3);
  });

  test("and is the operation's own refusal, is not", async () => {
    const { api, asked } = apiOf(problem(423, "busy"));
    expect(await failure(show(api))).toMatchObject({ code: "busy" });
    expect(asked).toHaveLength(1);
  });

  test("is no longer waited for when the caller goes away", async () => {
    const { api } = apiOf(problem(423, "busy", {}, soon), answer(200, {}));
    const gone = AbortSignal.timeout(20);
    await expect(api.call("GET /api/cluster", {}, gone)).rejects.toThrow();
  });

  test("a connection that breaks says that a change may have been begun", async () => {
    const cut = () => new ConnectionFailed(new Error("socket hang up"), false);
    const asking = apiOf(cut()).api;
    expect(await failure(show(asking))).toMatchObject({ code: "not_running", hint: undefined });
    const changing = apiOf(cut()).api;
    const error = await failure(changing.call("POST /api/operations", { body: { operation: "a.b" } }));
    expect(error.hint).toContain("op list");
  });
});

describe("a list", () => {
  const page = (items: number[], next_cursor: string | null) => answer(200, { items, next_cursor, total: 5 });

  test("is the body of the first page with the items of all of them", async () => {
    const { api, asked } = apiOf(page([1, 2], "b"), page([3, 4], "d"), page([5], null));
    expect(await api.list("GET /api/databases", {})).toEqual({ items: [1, 2, 3, 4, 5], next_cursor: null, total: 5 });
    expect(asked.map(({ path }) => path.split("?")[1])).toEqual([
      "limit=1000",
      "limit=1000&cursor=b",
      "limit=1000&cursor=d",
    ]);
  });

  test("of which so many are wanted has no more, and says where it goes on", async () => {
    const { api, asked } = apiOf(page([1, 2], "b"), page([3], "c"));
    const some = await api.list("GET /api/audit", { query: { actor: "user:ada" } }, 3);
    expect(some).toMatchObject({ items: [1, 2, 3], next_cursor: "c" });
    expect(asked.map(({ path }) => path.split("?")[1])).toEqual([
      "actor=user%3Aada&limit=3",
      "actor=user%3Aada&limit=1&cursor=b",
    ]);
  });
});

describe("a stream", () => {
  const events = (...numbers: number[]) =>
    answer(200, numbers.map((n) => messageText({ id: String(n), event: "step", data: n })).join(""));

  test("that is cut off goes on behind the last event that came", async () => {
    const cut = new HomelabError("not_running", "away");
    const { api, asked } = apiOf(events(1, 2), cut, events(3));
    const seen: unknown[] = [];
    for await (const { data } of api.events("GET /api/events", {}, new AbortController().signal)) {
      seen.push(data);
      if (data === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(asked.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "2", "2"]);
  });

  test("that is refused ends with the error", async () => {
    const { api } = apiOf(events(1), problem(404, "not_found"));
    const all = async () => {
      for await (const _ of api.events("GET /api/events", {}, new AbortController().signal));
    };
    expect(await failure(all())).toMatchObject({ code: "not_found" });
  });
});
