import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runAny } from "../../src/host/run.ts";
import { checkout, TestHome } from "../harness/home.ts";

/** As a clone under /root is: the user that root becomes for a home cannot read the program. */
let closed: string;
let home: TestHome;

beforeAll(async () => {
  closed = await mkdtemp(join(tmpdir(), "hl-closed-"));
  for (const name of ["homelab", "scripts", "dist", "package.json"])
    await cp(join(checkout, name), join(closed, name), { recursive: true });
  await symlink(join(checkout, "node_modules"), join(closed, "node_modules"));
  home = await TestHome.empty();
});
afterAll(async () => {
  await home.destroy();
  await rm(closed, { recursive: true });
});

async function homelab(...args: string[]): Promise<string> {
  const env = { PATH: process.env["PATH"]!, HOME: "/" };
  const { exitCode, stdout, stderr } = await runAny({
    argv: [join(closed, "homelab"), "--home", home.root, ...args],
    env,
    timeout: 120,
  });
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

test.skipIf(process.getuid!() !== 0)("everything works from a checkout that only root can read", async () => {
  expect(await homelab("up", ...home.upFlags())).toMatch(/^pooled\s/m);
  expect(await homelab("up")).toMatch(/^pooled\s/m);
  expect(await homelab("db", "create", "shop")).toMatch(/^DATABASE_URL=/);
  expect(await homelab("db", "list", "--local")).toContain("shop");
  expect(await homelab("complete", "--", "db", "show", "")).toContain("shop");
  await homelab("down");
  expect(await homelab("config", "show")).toContain("network.listen");
  await homelab("up");
  expect(await homelab("db", "show", "shop")).toContain("shop_app");
});
