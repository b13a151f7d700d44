import { expect } from "vitest";
import { homeFolders } from "../../src/cluster/home.ts";
import { modeOf } from "../../src/host/files.ts";
import { isBracket, type AnyOperation } from "../../src/operations/operation.ts";
import type { TestHome } from "../harness/home.ts";

/** Each step once, right after its effect and before its line; brackets by what is inside them. */
export const stepsOf = (operation: AnyOperation): string[] =>
  operation.steps.flatMap((item) =>
    isBracket(item) ? [item.name, ...item.steps.map((step) => step.name)] : [item.name],
  );

/** Runs `up` with a crash at one step; answers whether it died there, or had nothing to do. */
export async function upDyingAt(home: TestHome, operation: string, step: string): Promise<boolean> {
  const env = { HOMELAB_CRASH_AT: `${operation}:${step}:after-effect` };
  const { signal, exitCode, stderr } = await home.run(["up", ...home.upFlags()], { env });
  expect(signal === "SIGKILL" || exitCode === 137 || exitCode === 0, stderr).toBe(true);
  return exitCode !== 0;
}

/** What has to be true of a home that is up, whatever happened on the way. */
export async function expectWhole(home: TestHome): Promise<void> {
  const status = await home.ok("status", "--json");
  expect(status.json<{ state: string }>().state).toBe("ok");
  for (const { path, mode } of homeFolders(home.paths)) expect(await modeOf(path), path).toBe(mode);
  const again = await home.ok("up", ...home.upFlags(), "--json");
  expect(again.json<{ changed: string[] }>().changed).toEqual([]);
  const runs = (await home.ok("op", "list", "--json")).json<{ items: { state: string }[] }>().items;
  expect(runs.filter(({ state }) => state === "running")).toEqual([]);
  expect((await home.createDatabase("probe")).user).toBe("probe_app");
  const checksums = await home.ok("health", "--json");
  const facts = checksums.json<{ checks: { name: string; facts?: { checksums?: string } }[] }>().checks;
  expect(facts.find(({ name }) => name === "postgres")?.facts?.checksums).toBe("on");
}
