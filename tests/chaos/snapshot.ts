import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { verifies } from "../../src/core/scram.ts";
import { noteOf } from "../../src/engines/pgbackrest/annotations.ts";
import { isPaused } from "../../src/engines/pgbouncer/client.ts";
import { proveSocketLogin } from "../../src/engines/pgbouncer/login.ts";
import { nodeProcesses } from "../../src/engines/services.ts";
import { certificateFiles } from "../../src/engines/tls.ts";
import { readText } from "../../src/host/files.ts";
import { isReady } from "../../src/host/probe.ts";
import { findProcess } from "../../src/host/processes.ts";
import { openJournal } from "../../src/journal/open.ts";
import { readCatalogue } from "../../src/site/backup-catalogue.ts";
import { readCredentials } from "../../src/site/credentials.ts";
import type { Site } from "../../src/site/site.ts";

const DATABASES = `
  SELECT datname AS name, pg_get_userbyid(datdba) AS owner, datallowconn AS allows, datconnlimit AS connections, datacl::text AS acl
  FROM pg_database WHERE datname !~ '^(postgres|template[01])$' ORDER BY 1`;

const ROLES = `
  SELECT r.rolname AS name, r.rolcanlogin AS login, r.rolconnlimit AS connections, r.rolconfig AS settings,
         r.rolvaliduntil IS NOT NULL AND r.rolvaliduntil <> 'infinity' AS ends,
         a.rolpassword AS verifier, shobj_description(r.oid, 'pg_authid') AS comment,
         ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid ORDER BY 1) AS member_of
  FROM pg_roles r JOIN pg_authid a USING (rolname) WHERE r.rolname !~ '^(pg_|postgres$|replicator$|rewind$)' ORDER BY 1`;

const INSIDE = `
  SELECT (SELECT json_agg(json_build_array(nspname, nspowner::regrole::text, nspacl::text) ORDER BY 1) FROM pg_namespace WHERE nspname IN ('public', 'pgbouncer')) AS schemas,
         (SELECT json_agg(json_build_array(defaclrole::regrole::text, defaclobjtype, defaclacl::text) ORDER BY defaclobjtype) FROM pg_default_acl) AS defaults,
         (SELECT json_agg(extname ORDER BY 1) FROM pg_extension) AS extensions`;

/**
 * Everything that an operation on this database could have left in one state or another: catalog, files, services,
 * journal. Names and times that differ from trial to trial are replaced, so that two snapshots can be compared.
 */
export async function snapshot(site: Site, database: string): Promise<unknown> {
  const sessions = await site.postgres();
  const admin = await sessions.admin();
  const { paths } = site.topology;
  const about = (value: unknown) =>
    /restoring-/.test(JSON.stringify(value)) || JSON.stringify(value).includes(database);
  const databases = (await admin.query(DATABASES)).filter(about);
  const roles = (await admin.query<{ name: string; verifier: string | null; comment: string | null }>(ROLES)).filter(
    about,
  );
  const deleted = roles.map(({ comment }) => /"name":"(deleted-[^"]+)"/.exec(comment ?? "")?.[1]).find(Boolean);
  const credentials = await readCredentials(paths, database);
  const logins = [credentials?.app, credentials?.read_only, credentials?.next, credentials?.previous].filter(
    (c) => c !== undefined,
  );
  const matches = logins.map(async ({ user, password }) => [
    user,
    await verifies(password, roles.find((r) => r.name === user)?.verifier ?? null),
  ]);
  const journal = await journalOf(site, database);
  const exists = databases.some((row) => (row as { name: string }).name === database);
  return normalise(
    {
      databases: [
        ...databases,
        ...(deleted ? (await admin.query(DATABASES)).filter((row) => JSON.stringify(row).includes(deleted)) : []),
      ],
      roles: roles.map(({ verifier, ...role }) => ({ ...role, has_password: verifier !== null })),
      inside: exists ? await sessions.within(database, (session) => session.query(INSIDE)) : null,
      credentials: await Promise.all(matches),
      pooled_login: credentials
        ? await proveSocketLogin(site.topology, { database, ...credentials.app }).catch(String)
        : null,
      files: await files(site, [database, ...(deleted ? [deleted] : [])]),
      journal,
      backups: JSON.stringify(journal).includes("backup.create") ? await notedBackups(site, database) : null,
      services: await services(site),
      repositories: await repositories(site, database),
    },
    database,
  );
}

async function files({ topology }: Site, names: string[]): Promise<string[]> {
  const { credentials, dumps, run, scratch } = topology.paths;
  const lists = await Promise.all(
    [credentials, dumps].map(async (folder) =>
      (await readdir(folder)).map((name) => `${folder.split("/").at(-1)}/${name}`),
    ),
  );
  const leftovers = [
    ...(await readdir(run)).filter((name) => /^(dump|load|shell)-|\.tmp$|^x.$/.test(name)),
    ...(await readdir(scratch)),
  ];
  return [
    ...lists.flat().filter((name) => names.some((wanted) => name.includes(wanted)) || /partial|tmp/.test(name)),
    ...leftovers,
  ].sort();
}

/** The repositories of a trial, whether pgBackRest reads of them, and what an operation on them may have left behind. */
async function repositories(site: Site, database: string): Promise<unknown> {
  const { storage, etc, state, run } = site.topology.paths;
  const name = database.replaceAll("_", "-");
  const { repositories: all } = await site.storage();
  const left = [...(await readdir(state)), ...(await readdir(run))];
  return {
    known: all
      .filter((each) => each.name === name)
      .map(({ type, cipher_pass }) => ({ type, encrypted: cipher_pass !== null })),
    isRead: (await readText(join(etc, "pgbackrest.conf")))?.includes(database),
    hasPassphrase: (await readText(storage))?.includes(database),
    left: left.filter((file) => /^(storage-keys|pgbackrest-only)-/.test(file)),
  };
}

/** Nothing may be left running, and no lock. */
async function journalOf({ topology }: Site, database: string): Promise<unknown> {
  const journal = openJournal(topology.paths);
  try {
    const running = await journal.list({ state: "running" });
    const last = (await journal.list({ limit: 200 })).find(
      (run) => run.state !== "refused" && JSON.stringify(run.input).includes(database),
    );
    return { running: running.length, last: last && [last.operation, last.state] };
  } finally {
    await journal.close();
  }
}

/** What the backups are worth that carry the name as their note: whole, or why not. */
async function notedBackups(site: Site, name: string): Promise<string[]> {
  const found = (await readCatalogue(site)).flatMap(({ backups, coverage }) =>
    backups
      .filter((backup) => noteOf(backup, "note") === name)
      .map(({ label }) => coverage.unusable.get(label) ?? "whole"),
  );
  return [...new Set(found)];
}

async function services({ topology }: Site): Promise<unknown> {
  const up = nodeProcesses(topology).map(async (spec) => {
    const ready =
      (await findProcess(topology.paths.run, spec.name)) !== undefined &&
      (await isReady(spec.ready, certificateFiles(topology.paths)));
    return [spec.name, ready];
  });
  return {
    up: await Promise.all(up),
    paused: [await isPaused(topology, "pgbouncer"), await isPaused(topology, "pgbouncer-ro")],
  };
}

function normalise(value: unknown, database: string): unknown {
  const text = JSON.stringify(value)
    .replaceAll(/deleted-\d{14}-[0-9a-f]{8}/g, "DELETED")
    .replaceAll(/_old_\d{14}/g, "_old_TIME")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "TIME")
    .replaceAll(/\/[^"\\]*\/dumps\//g, "DUMPS/")
    .replaceAll(database, "NAME");
  return JSON.parse(text);
}
