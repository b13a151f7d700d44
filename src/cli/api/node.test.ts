import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { homePaths, hubSocketPath, type HomePaths } from "../../cluster/home.ts";
import { identify } from "../../host/processes.ts";
import { NodeTransport } from "./node.ts";
import { textOf } from "./transport.ts";

let paths: HomePaths;
let server: Server | undefined;
let notes: string[];

beforeEach(async () => {
  paths = homePaths(await mkdtemp(join(tmpdir(), "hl-way-")));
  for (const folder of [paths.run, paths.state]) await mkdir(folder);
  notes = [];
});
afterEach(async () => {
  server?.close();
  server = undefined;
  await rm(paths.root, { recursive: true });
});

/** A hub that answers each request with who asked. */
async function startHub(): Promise<void> {
  server = createServer((request, response) => response.end(`hub, ${String(request.headers["x-homelab-caller"])}`));
  server.listen(hubSocketPath(paths));
  await new Promise((resolve) => server!.once("listening", resolve));
}

/** What `up` left behind, with an agent that lives: this very process. */
async function pretendAgent(): Promise<void> {
  await writeFile(paths.services, JSON.stringify({ up: true, services: [{ name: "hub" }] }));
  await writeFile(paths.agentState, JSON.stringify({ identity: identify(process.pid), services: [], events: [] }));
}

function way(local = false): NodeTransport {
  async function* here(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("here");
  }
  const open = async () => ({ send: async () => ({ status: 200, headers: {}, body: here() }), close: async () => {} });
  return new NodeTransport({ paths, caller: "ada", local, open, note: (text) => void notes.push(text) });
}

const ask = async (transport: NodeTransport): Promise<string> =>
  textOf(await transport.send({ method: "GET", path: "/api/cluster", headers: {} }));

test("the hub is asked, and told who asks", async () => {
  await startHub();
  expect(await ask(way())).toBe("hub, ada");
});

test("with --local it is not", async () => {
  await startHub();
  expect([await ask(way(true)), notes]).toEqual(["here", []]);
});

test("an installation that is down has no hub, and nobody says a word", async () => {
  await writeFile(paths.services, JSON.stringify({ up: false, services: [{ name: "hub" }] }));
  expect([await ask(way()), notes]).toEqual(["here", []]);
});

test("where one should be and nobody starts it, that is said once", async () => {
  await writeFile(paths.services, JSON.stringify({ up: true, services: [{ name: "hub" }] }));
  const transport = way();
  expect([await ask(transport), await ask(transport)]).toEqual(["here", "here"]);
  expect(notes).toEqual(["the hub does not answer: working without it"]);
});

test("one that is being started is waited for", async () => {
  await pretendAgent();
  setTimeout(() => void startHub(), 300);
  expect([await ask(way()), notes]).toEqual(["hub, ada", []]);
});

test("a caller who goes away while it is waited for is let go", async () => {
  await pretendAgent();
  const asked = way().send({ method: "GET", path: "/", headers: {}, signal: AbortSignal.timeout(100) });
  await expect(asked).rejects.toThrow(/abort/i);
});
