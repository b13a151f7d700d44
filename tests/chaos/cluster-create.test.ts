import { afterEach, describe, test } from "vitest";
import { clusterCreate } from "../../src/operations/cluster/create.ts";
import { TestHome } from "../harness/home.ts";
import { expectWhole, stepsOf, upDyingAt } from "./whole-cluster.ts";

let home: TestHome;

afterEach(async () => {
  await home?.destroy();
});

describe("cluster.create", () => {
  test.each(stepsOf(clusterCreate))(
    "killed after the effect of %s and begun again, the cluster is whole",
    async (step) => {
      home = await TestHome.empty();
      const died = await upDyingAt(home, "cluster.create", step);
      console.log(`chaos: cluster.create killed at ${step}: ${died ? "died" : "had nothing to do"}`);
      await home.ok("up", ...home.upFlags());
      await expectWhole(home);
    },
  );
});
