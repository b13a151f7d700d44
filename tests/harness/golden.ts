import { join } from "node:path";
import type { RenderedFile } from "../../src/engines/engine.ts";
import type { Topology } from "../../src/cluster/topology.ts";
import { oldMachine, sampleTopology, severalNodes } from "./sample-topology.ts";

/** The cases that each engine's files are kept for, by the name that the golden file carries. */
export const goldenCases: Record<string, Topology> = {
  debian13: sampleTopology(),
  debian12: sampleTopology(
    [
      "name: attic",
      "network: {listen: loopback, port_offset: 1000}",
      "postgres: {extra: {work_mem: 16MB, jit: false}}",
      "pgbouncer: {extra: {query_timeout: 60, server_idle_timeout: 30}}",
    ].join("\n"),
    oldMachine,
  ),
  "three-nodes": severalNodes(sampleTopology("network: {listen: [203.0.113.9, '2001:db8::9']}")),
};

/** `etcd.yml` of the case `debian12` is kept as testdata/debian12.etcd.yml beside the engine. */
export const goldenPath = (folder: string, name: string, file: RenderedFile): string =>
  join(folder, "testdata", `${name}.${file.path.split("/").at(-1)}`);

/** Values that a person, a variable or a machine could bring, and that mean something to one reader or another. */
export const HOSTILE_TEXTS = [
  "yes",
  "no",
  "on",
  "null",
  "~",
  "12_34",
  "0x1f",
  "1e3",
  "12:30:45",
  "2024-01-01",
  "=",
  "<<",
  "- a",
  "? a",
  "a: b",
  "a #b",
  "&a",
  "*a",
  "!!python/object:os.system",
  "%include /etc/passwd",
  "[databases]",
  "{a: b}",
  "|",
  ">",
  "`id`",
  "$(id)",
  "${HOME}",
  "@a",
  "trailing:",
  " leading",
];
