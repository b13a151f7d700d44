import { expect, test } from "vitest";
import { sampleTopology } from "../../../tests/harness/sample-topology.ts";
import { pgbackrestArgv, pgbackrestEnvironment } from "./command.ts";

const topology = sampleTopology("name: attic");

test("a call names its configuration and its cluster, and gives each option as a word of its own", () => {
  const options = { type: "full", repo: 2, recurse: true as const, annotation: ["a=1 2", "b=$(id)"], set: undefined };
  expect(pgbackrestArgv(topology, "backup", options, "--a path")).toEqual([
    "/usr/bin/pgbackrest",
    "--config=/srv/homelab/etc/pgbackrest.conf",
    "--stanza=attic",
    "--type=full",
    "--repo=2",
    "--recurse",
    "--annotation=a=1 2",
    "--annotation=b=$(id)",
    "backup",
    "--a path",
  ]);
});

test("its environment has the way to its login, and no setting of pgBackRest that a user may have", () => {
  const environment = pgbackrestEnvironment(topology);
  expect(environment["PGPASSFILE"]).toBe("/srv/homelab/etc/pgbackrest.pgpass");
  expect(Object.keys(environment).filter((name) => name.startsWith("PGBACKREST_"))).toEqual([]);
});
