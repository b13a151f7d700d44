import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sso } from "../config/sso.ts";
import type { HomelabError } from "../core/errors.ts";
import { SsoProvider } from "./sso-provider.ts";

let now = 0;
let asked = 0;
let answer: (response: ServerResponse) => void;
let issuer: string;
let provider: SsoProvider;

const server = createServer((_request, response) => {
  asked++;
  answer(response);
});

/** Describes a provider that calls itself so. */
const describing = (name: string) => (response: ServerResponse) =>
  response.setHeader("content-type", "application/json").end(JSON.stringify({ issuer: name }));

beforeEach(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/home`;
  [now, asked, answer] = [0, 0, describing(issuer)];
  provider = new SsoProvider(sso.parse({ issuer, client_id: "hub", default_role: "viewer" }), { now: () => now });
});
afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
});

const refusal = (): Promise<HomelabError> =>
  provider.client().then(
    () => {
      throw new Error("it was believed");
    },
    (error: unknown) => error as HomelabError,
  );

describe("a provider", () => {
  test("is asked again after 5 minutes, and each login has keys of its own", async () => {
    const first = await provider.client();
    expect(first.serverMetadata().issuer).toBe(issuer);
    expect(await provider.client()).not.toBe(first);
    expect(asked).toBe(1);
    now += 5 * 60_000;
    await provider.client();
    expect(asked).toBe(2);
  });

  test("that is away is asked ever more rarely, and after it was there at once again", async () => {
    answer = (response) => response.writeHead(502).end();
    const times: number[] = [];
    for (let second = 0; second <= 200; second++) {
      now = second * 1000;
      const before = asked;
      expect(await refusal()).toMatchObject({
        code: "sso_unavailable",
        message: expect.stringContaining("status 502"),
      });
      if (asked > before) times.push(second);
    }
    expect(times).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183]);
    answer = describing(issuer);
    now = 300_000;
    await provider.client();
    answer = (response) => response.writeHead(502).end();
    now += 5 * 60_000;
    await refusal();
    now += 1000;
    answer = describing(issuer);
    await provider.client();
  });

  test("that calls itself something else is not believed, and the hint says how to write it", async () => {
    answer = describing(`${issuer}/`);
    const error = await refusal();
    expect(error).toMatchObject({ code: "sso_unavailable", message: expect.stringContaining(`itself ${issuer}/`) });
    expect(error.hint).toContain("sso.issuer");
  });

  test.each([
    ["a page instead", (response: ServerResponse) => response.setHeader("content-type", "text/html").end("<html>")],
    ["no JSON", (response: ServerResponse) => response.setHeader("content-type", "application/json").end("{")],
    ["another address", (response: ServerResponse) => response.writeHead(302, { location: "http://127.0.0.1/" }).end()],
    ["nothing", (response: ServerResponse) => response.destroy()],
  ])("that answers with %s is not available", async (_what, behaviour) => {
    answer = behaviour;
    expect(await refusal()).toMatchObject({ code: "sso_unavailable" });
  });
});
