import { describe, expect, test } from "vitest";
import { goldenCases, goldenPath } from "../../../tests/harness/golden.ts";
import { sampleTopology } from "../../../tests/harness/sample-topology.ts";
import type { Topology } from "../../cluster/topology.ts";
import { haproxyConfigPath, haproxySocket, renderHaproxy } from "./config.ts";

/** Sections as HAProxy reads them: a word at the line's beginning opens one, what is indented belongs to it. */
function sections(content: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let open: string[] = [];
  for (const line of content.split("\n").filter((text) => text && !text.startsWith("#"))) {
    if (line.startsWith(" ")) open.push(line.trim());
    else found.set(line, (open = []));
  }
  return found;
}

const read = (topology: Topology) => sections(renderHaproxy(topology).content);
const binds = (topology: Topology, section: string): string[] =>
  read(topology)
    .get(section)!
    .filter((line) => line.startsWith("bind "))
    .flatMap((line) => line.slice(5).split(","));

describe("haproxy.cfg", () => {
  test.each(Object.keys(goldenCases))("of the case %s is as it was read and agreed to", async (name) => {
    const file = renderHaproxy(goldenCases[name]!);
    await expect(file.content).toMatchFileSnapshot(goldenPath(import.meta.dirname, name, file));
  });

  test("is closed to others, where the process looks for it, and ends with a newline", () => {
    const topology = sampleTopology();
    const file = renderHaproxy(topology);
    expect(file).toMatchObject({ mode: 0o600, path: haproxyConfigPath(topology), onChange: "restart" });
    expect(file.content.endsWith("\n")).toBe(true);
  });

  test("listens for apps at every address of the topology, and nowhere else", () => {
    expect(binds(sampleTopology("network: {port_offset: 10}"), "listen direct")).toEqual([
      "127.0.0.1:5442",
      "[::1]:5442",
      "192.168.1.10:5442",
      "[fd00::10]:5442",
    ]);
    expect(binds(sampleTopology("network: {listen: loopback}"), "listen direct-read-only")).toEqual([
      "127.0.0.1:5433",
      "[::1]:5433",
    ]);
  });

  test("keeps its statistics and its control inside the cluster", () => {
    const topology = sampleTopology("network: {listen: [203.0.113.9]}");
    expect(binds(topology, "listen statistics")).toEqual(["127.0.0.1:7000"]);
    expect(read(topology).get("global")).toContain(`stats socket ${haproxySocket(topology)} mode 600 level admin`);
  });

  test("asks no check of a single node: a dead Patroni must not cut sessions of a PostgreSQL that lives", () => {
    for (const section of ["listen direct", "listen direct-read-only"])
      expect(read(sampleTopology()).get(section)).toContainEqual("server nas 127.0.0.1:5431");
    expect(renderHaproxy(sampleTopology()).content).not.toMatch(/\bcheck\b|option httpchk/);
  });

  test.each(["a b", "x\nbackend evil", "-V", "#", "nas mode http"])(
    "takes the machine's name %j as one word",
    (hostname) => {
      const sane = [...read(sampleTopology()).keys()];
      const topology = sampleTopology("", { hostname });
      expect([...read(topology).keys()]).toEqual(sane);
      expect(
        read(topology)
          .get("listen direct")!
          .filter((line) => line.startsWith("server ")),
      ).toEqual([expect.stringMatching(/^server [a-z0-9-]+ 127\.0\.0\.1:5431$/)]);
    },
  );
});
