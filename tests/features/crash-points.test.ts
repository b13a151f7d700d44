import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../../src/core/clock.ts";
import { ask, askAsSuperuser } from "../harness/clients.ts";
import { postmasterPid } from "../harness/engines.ts";
import { TestHome } from "../harness/home.ts";
import { Writer } from "../harness/writer.ts";

/*
 * The chaos test dies in this process at every step; here real commands that run an operation themselves die by SIGKILL,
 * and the real hub is what goes on (faults: F77, F78).
 */

let home: TestHome;

beforeAll(async () => {
  home = await TestHome.up();
});
afterAll(() => home.destroy());

interface Row {
  id: string;
  operation: string;
  state: string;
}

/** Runs a command that dies at a crash point, and answers the run that it left behind. */
async function dieAt(point: string, ...args: string[]): Promise<Row> {
  const { signal, stderr } = await home.run(["--local", ...args], { env: { HOMELAB_CRASH_AT: point } });
  expect(signal, stderr).toBe("SIGKILL");
  const { items } = (await home.ok("op", "list", "--json", "--limit", "1")).json<{ items: Row[] }>();
  expect(point).toContain(items[0]!.operation);
  return items[0]!;
}

/** Waits until the hub has finished a run; nobody else is there to do it. */
async function finishedByHub({ id }: Row): Promise<void> {
  const begun = performance.now();
  const state = async () => (await home.run(["op", "show", id, "--json"])).json<Row>().state;
  await waitUntil(async () => (await state()) !== "running", {
    timeout: 60,
    every: 200,
    what: "the hub finished it",
  });
  expect(await state()).toBe("completed");
  console.log(
    `resumed: ${id} was finished ${((performance.now() - begun) / 1000).toFixed(1)} s after its command died`,
  );
}

test.each(["save-credentials:after-effect", "create-database:after-effect", "open-database:after-journal"])(
  "a db create that dies at %s is finished by the hub, and its URL works",
  async (point) => {
    const name = point.replace(/[^a-z]/g, "_");
    await finishedByHub(await dieAt(`database.provision:${point}`, "db", "create", name));
    const url = (await home.ok("db", "url", name)).stdout.trim();
    expect(await ask(url, "SELECT current_user::text AS acts_as")).toEqual([{ acts_as: `${name}_owner` }]);
    const again = await home.createDatabase(name);
    expect(again.pooled_url).toBe(url);
  },
);

test.each(["keep-dump:after-effect", "rename-away:after-effect"])(
  "a db delete that dies at %s is finished by the hub, and undelete brings the rows back",
  async (point) => {
    const name = point.replace(/[^a-z]/g, "_");
    const { pooled_url: url } = await home.createDatabase(name);
    await ask(url, "CREATE TABLE kept AS SELECT 42 AS answer");
    await finishedByHub(await dieAt(`database.drop:${point}`, "db", "delete", name, "--confirm", name));
    expect((await home.run(["db", "show", name])).exitCode).toBe(7);
    await home.ok("db", "undelete", name);
    expect(await ask(url, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
  },
);

test("a db rotate that dies half way is finished by the hub, and the app's old URL works all the time", async () => {
  const { pooled_url: old } = await home.createDatabase("rotated");
  const writer = await Writer.start(old);
  await finishedByHub(await dieAt("database.rotate-password:limit-old-login:after-effect", "db", "rotate", "rotated"));
  await writer.isWriting();
  await writer.stop();
  expect(writer.errors).toEqual([]);
  const fresh = (await home.ok("db", "url", "rotated")).stdout.trim();
  expect(fresh).not.toBe(old);
  expect(await writer.ledger(fresh)).toMatchObject({ lost: [], unexpected: [] });
});

test.each(["bootstrap-postgres:after-effect", "bootstrap-postgres:after-journal", "make-platform-roles:after-effect"])(
  "F83: an up that dies at %s, together with all that it started, is finished by the next one",
  async (point) => {
    const other = await TestHome.empty();
    try {
      const env = { HOMELAB_CRASH_AT: `cluster.create:${point}` };
      const died = await other.run(["up", ...other.upFlags()], { env });
      expect(died.signal, died.stderr).toBe("SIGKILL");
      // Behind the barrier, the run that goes on does not come by the start of the agent again.
      await other.killEverything();
      await other.ok("up", ...other.upFlags());
      const { pooled_url: url } = await other.createDatabase("shop");
      expect(await ask(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    } finally {
      await other.destroy();
    }
  },
);

test("F78: pools that a dead command left paused are resumed by the hub, and waiting clients see no error", async () => {
  const { pooled_url: url } = await home.createDatabase("paused");
  const writer = await Writer.start(url);
  const postmaster = await postmasterPid(home.root);
  writer.mark();
  const run = await dieAt("service.restart:pools-paused", "restart", "postgres");
  await finishedByHub(run);
  await writer.isWriting();
  console.log(`stall: paused pools were resumed after ${writer.gap().toFixed(1)} s, ${writer.errors.length} errors`);
  await writer.stop();
  expect(writer.gap()).toBeLessThan(60);
  expect(writer.errors).toEqual([]);
  expect(await writer.ledger()).toMatchObject({ lost: [], unexpected: [] });
  expect(await postmasterPid(home.root), "the restart itself was done, too").not.toBe(postmaster);
  expect((await home.run(["health"])).exitCode).toBe(0);
  expect(await askAsSuperuser(home, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
});
