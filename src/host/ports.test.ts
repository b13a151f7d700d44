import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { homePaths } from "../cluster/home.ts";
import { sampleTopology } from "../../tests/harness/sample-topology.ts";
import { holderOf, listeners } from "./ports.ts";
import { checkPorts, chooseMajor } from "./preflight.ts";

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(host: string): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return (server.address() as AddressInfo).port;
}

describe("listeners", () => {
  test("finds a port that is listened on, and who holds it", async () => {
    const port = await listen("127.0.0.1");
    const found = listeners().find((listener) => listener.port === port);
    expect(found).toMatchObject({ port, address: "0100007F" });
    expect(holderOf(found!.inode)).toMatch(new RegExp(`^.+ \\(pid ${process.pid}\\)$`));
  });

  test("finds nobody on a port that was given up", async () => {
    const port = await listen("127.0.0.1");
    await new Promise((resolve) => servers.pop()!.close(resolve));
    expect(listeners().map((listener) => listener.port)).not.toContain(port);
  });

  test("knows no holder of a socket that is not there", () => {
    expect(holderOf("0")).toBeUndefined();
  });
});

describe("checkPorts", () => {
  const paths = homePaths("/srv/homelab-that-is-not-there");

  test("refuses a port that another program listens on, and names port, use and program", async () => {
    const port = await listen("127.0.0.1");
    const ports = { ...sampleTopology().ports, pooled: port };
    await expect(checkPorts(paths, ports)).rejects.toMatchObject({
      code: "port_taken",
      message: expect.stringMatching(new RegExp(`${port} \\(pooled\\) by .+ \\(pid ${process.pid}\\)`)) as string,
      hint: expect.stringContaining("--port-offset") as string,
    });
  });
});

describe("chooseMajor", () => {
  test.each([
    ["auto", [17, 15], undefined, 17],
    [15, [17, 15], undefined, 15],
    ["auto", [17, 15], 15, 15],
    [17, [17, 15], 15, 15],
  ] as const)("of %j, installed %j and existing data of %j, is %d", (wanted, installed, existing, major) => {
    expect(chooseMajor(wanted, [...installed], existing)).toBe(major);
  });

  test.each([
    ["auto", [], undefined, "PostgreSQL is not installed", "apt-get install postgresql"],
    [16, [17], undefined, "PostgreSQL 16 is not installed", "apt-get install postgresql-16"],
    [
      "auto",
      [17],
      15,
      "PostgreSQL 15 is not installed, and the data is of that version",
      "apt-get install postgresql-15",
    ],
  ] as const)("refuses %j with %j installed and data of %j", (wanted, installed, existing, message, hint) => {
    expect(() => chooseMajor(wanted, [...installed], existing)).toThrow(
      expect.objectContaining({ code: "version_refused", message, hint }) as Error,
    );
  });
});
