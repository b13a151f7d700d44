import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { Secret } from "../../core/secret.ts";
import { Api } from "./client.ts";
import { remoteOf, RemoteTransport } from "./remote.ts";

const KEY = "hl_abcdefgh_0123456789";

describe("HOMELAB_URL", () => {
  test("names a hub elsewhere, with its prefix; without it there is none", () => {
    expect(remoteOf({})).toBeUndefined();
    expect(remoteOf({ HOMELAB_URL: "", HOMELAB_API_KEY: KEY })).toBeUndefined();
    const found = remoteOf({ HOMELAB_URL: "https://home.lan/db/", HOMELAB_API_KEY: ` ${KEY}\n` })!;
    expect([found.url.href, found.key.reveal()]).toEqual(["https://home.lan/db/", KEY]);
  });

  test.each([
    [{ HOMELAB_URL: "home.lan", HOMELAB_API_KEY: KEY }],
    [{ HOMELAB_URL: "ftp://home.lan", HOMELAB_API_KEY: KEY }],
    [{ HOMELAB_URL: "http://home.lan/?a=b", HOMELAB_API_KEY: KEY }],
    [{ HOMELAB_URL: `http://ada:${KEY}@home.lan`, HOMELAB_API_KEY: KEY }],
    [{ HOMELAB_URL: "http://home.lan" }],
    [{ HOMELAB_URL: "http://home.lan", HOMELAB_API_KEY: "  " }],
    [{ HOMELAB_URL: "http://home.lan", HOMELAB_API_KEY: `${KEY}\r\nX-Evil: 1` }],
  ])("as in %j is refused, and no key is in the sentence", (env) => {
    let said = "";
    try {
      remoteOf(env);
    } catch (error) {
      said = String(error);
      expect(error).toMatchObject({ code: "usage" });
    }
    expect(said).not.toBe("");
    expect(said).not.toContain(KEY);
  });
});

/** Asks a server for its databases, as a command with HOMELAB_URL would. */
async function ask(listener: RequestListener, prefix = ""): Promise<unknown> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const transport = new RemoteTransport({ url: new URL(`http://127.0.0.1:${port}${prefix}`), key: new Secret(KEY) });
    return await new Api(transport).call("GET /api/databases", {});
  } finally {
    server.close();
  }
}

describe("a hub elsewhere", () => {
  test("is asked with the key in a header, below its prefix", async () => {
    const seen: unknown[] = [];
    const body = await ask((request, response) => {
      seen.push(request.url, request.headers["x-api-key"]);
      response.end("{}");
    }, "/db/");
    expect(body).toEqual({});
    expect(seen).toEqual(["/db/api/databases", KEY]);
  });

  test("that is not there is said to be away, with what to look at", async () => {
    const transport = new RemoteTransport({ url: new URL("http://127.0.0.1:1"), key: new Secret(KEY) });
    await expect(new Api(transport).call("GET /api/databases", {})).rejects.toMatchObject({
      code: "not_running",
      message: expect.stringContaining("nothing answers at http://127.0.0.1:1"),
    });
  });

  test("that ends the connection instead of answering went away", async () => {
    await expect(ask((request) => void request.socket.destroy())).rejects.toMatchObject({
      code: "not_running",
      message: expect.stringContaining("went away before it answered"),
    });
    const half: RequestListener = (_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{");
      setTimeout(() => response.destroy(), 20);
    };
    await expect(ask(half)).rejects.toMatchObject({ code: "not_running" });
  });

  test("whose name nobody knows, is named", async () => {
    const transport = new RemoteTransport({ url: new URL("http://hub.invalid"), key: new Secret(KEY) });
    await expect(new Api(transport).call("GET /api/databases", {})).rejects.toMatchObject({
      message: expect.stringContaining("there is no hub.invalid"),
    });
  });
});
