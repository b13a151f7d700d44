import { expect, test } from "vitest";
import { settingsFrom } from "../../tests/harness/sample-topology.ts";
import { archiveParameters } from "./archive.ts";
import { homePaths } from "./home.ts";

const command = (root: string, program = "/usr/bin/pgbackrest") =>
  archiveParameters(program, homePaths(root), settingsFrom())["archive_command"];

test("the command names its configuration by an absolute path, and the segment", () => {
  expect(command("/srv/homelab")).toBe(
    "/usr/bin/pgbackrest --config=/srv/homelab/etc/pgbackrest.conf --stanza=homelab archive-push %p",
  );
});

test("what means something to the shell, or to PostgreSQL, means nothing in it", () => {
  expect(command("/srv/my home")).toContain("'--config=/srv/my home/etc/pgbackrest.conf'");
  expect(command("/srv/it's $(id)")).toContain(`'--config=/srv/it'\\''s $(id)/etc/pgbackrest.conf'`);
  expect(command("/srv/100%p")).toContain("--config=/srv/100%%p/etc/pgbackrest.conf");
});

test("WAL is archived after the time of the settings at the latest", () => {
  const settings = settingsFrom("backup: {archive_timeout: 5min}");
  const parameters = archiveParameters("/usr/bin/pgbackrest", homePaths("/srv/homelab"), settings);
  expect(parameters).toMatchObject({ archive_mode: "on", archive_timeout: "300s" });
});
