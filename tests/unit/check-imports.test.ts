import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSources, violationsOf } from "../../scripts/check-imports.ts";
import { checkout } from "../harness/home.ts";

const planted = (path: string, text: string): string[] => violationsOf([{ path, text }]);

describe("the import rule", () => {
  test("holds for src, of which every folder was read", async () => {
    const sources = await readSources(join(checkout, "src"));
    expect(new Set(sources.map(({ path }) => path.split("/")[0])).size).toBeGreaterThanOrEqual(11);
    expect(violationsOf(sources)).toEqual([]);
  });

  test.each([
    ["upwards", "core/errors.ts", 'import { run } from "../host/run.ts";', "core may not import host/run.ts"],
    [
      "as a type",
      "cluster/urls.ts",
      'import type { Site } from "../site/site.ts";',
      "cluster may not import site/site.ts",
    ],
    [
      "over several lines",
      "host/run.ts",
      'import {\n  a,\n  b,\n} from "../engines/ca.ts";',
      "host may not import engines/ca.ts",
    ],
    [
      "when it is called",
      "operations/walk.ts",
      'const x = await import("../reports/health.ts");',
      "operations may not import reports/health.ts",
    ],
    [
      "for its effect",
      "journal/file.ts",
      'import "../operations/registry.ts";',
      "journal may not import operations/registry.ts",
    ],
    [
      "to hand it on",
      "site/site.ts",
      'export { up } from "../cli/commands/up.ts";',
      "site may not import cli/commands/up.ts",
    ],
    ["of a face", "agent/agent.ts", 'import { table } from "../cli/output.ts";', "agent may not import cli/output.ts"],
    [
      "of a report by the agent",
      "agent/agent.ts",
      'import { x } from "../reports/health.ts";',
      "agent may not import reports/health.ts",
    ],
    [
      "between engines",
      "engines/etcd/config.ts",
      'import { x } from "../patroni/config.ts";',
      "the engine etcd may not import the engine patroni",
    ],
    [
      "of files by what is pure",
      "config/load.ts",
      'import { readFileSync } from "node:fs";',
      "config does no I/O, and may not import node:fs",
    ],
    [
      "of the network by what is pure",
      "core/clock.ts",
      'import { connect } from "node:net";',
      "core does no I/O, and may not import node:net",
    ],
    [
      "of a test's harness",
      "core/clock.ts",
      'import { x } from "../../tests/harness/home.ts";',
      "imports ../../tests/harness/home.ts, which is outside of src",
    ],
    [
      "of what only types may be had of",
      "cli/api/client.ts",
      'import type { Route } from "./contract.ts"; import { z } from "../../api/endpoint.ts";',
      "cli may only import types of api/endpoint.ts",
    ],
    [
      "by a folder that nobody put into the table",
      "newcomer/a.ts",
      'import { x } from "../core/ids.ts";',
      "newcomer has no row in the table of scripts/check-imports.ts",
    ],
  ])("finds an import %s", (_name, path, text, sentence) => {
    expect(planted(path, `// first\n${text}\n`)).toEqual([`src/${path}:${text.split("\n").length + 1} ${sentence}`]);
  });

  test.each([
    ["engines/etcd/config.ts", 'import { x } from "../tls.ts";'],
    ["engines/services.ts", 'import { x } from "./etcd/config.ts";'],
    ["agent/sampler.ts", 'import { readSamples } from "../reports/samples.ts";'],
    ["core/clock.ts", 'import { setTimeout } from "node:timers/promises";'],
    ["host/run.ts", 'import { spawn } from "node:child_process";'],
    ["cli/main.ts", 'import { Command } from "commander";'],
    ["cli/api/contract.ts", 'import type {\n  a,\n  b,\n} from "../../api/contract/health.ts";'],
    ["cli/api/here.ts", 'import { openInProcess } from "../../hub/in-process.ts";'],
    ["core/text.ts", "const says = 'copied from \"../host/run.ts\" by hand';".replace("from", "out of")],
  ])("lets %s have %s", (path, text) => expect(planted(path, text)).toEqual([]));

  test("does not hold when no file was read", async () => {
    expect(() => violationsOf([])).toThrow("no file was read");
    const empty = await mkdtemp(join(tmpdir(), "hl-imports-"));
    expect(await readSources(empty)).toEqual([]);
    await rm(empty, { recursive: true });
  });
});
