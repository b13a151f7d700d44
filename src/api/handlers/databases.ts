import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import { findDatabase } from "../../engines/postgres/databases.ts";
import { checkCreatedName } from "../../engines/postgres/names.ts";
import { databaseProvision } from "../../operations/database/provision.ts";
import { databaseDrop } from "../../operations/database/drop.ts";
import { databaseDetails, databaseUrls, deletedList } from "../../reports/databases.ts";
import { askDatabases, BACKUP_PATIENCE } from "../ask-databases.ts";
import { newestBackup } from "../ask-repositories.ts";
import type { Handlers } from "../call.ts";
import type { databasesContract } from "../contract/databases.ts";
import { paginate } from "../paging.ts";
import type { Services } from "../services.ts";
import { startOperation } from "./operations.ts";

/** Milliseconds for which a list is given again: a thousand databases cost the catalog some milliseconds each time. */
const LIST_FRESH = 1000;

/** The databases: the fixed routes among them. */
export function databaseHandlers(services: Services): Handlers<typeof databasesContract> {
  const { site, desk, remembered } = services;
  const exists = async (name: string) =>
    (await findDatabase(await (await site.postgres()).admin(), name)) !== undefined;
  /** Creating ends before the answer: what is handed out must work. */
  const create = async (input: { name: string }, caller: string) => {
    await desk.complete(databaseProvision.name, input, caller);
    return databaseUrls(site, input.name);
  };
  return {
    "GET /api/databases": async ({ query }) => {
      const { value, observedAt, stale } = await askDatabases(services);
      return { status: 200, body: { ...paginate(value, query, "name"), observed_at: observedAt, stale } };
    },
    "POST /api/databases": async ({ body, query, actor, attempt, audit }) => {
      const { database_name: name, ...rest } = body;
      const input = { name, ...rest };
      audit({ action: databaseProvision.name, target: name });
      // Also where there is one: the platform's own databases are nobody's to have.
      checkCreatedName(name);
      // What an earlier try has made is no reason to refuse the next one.
      if (!attempt.isBegun && (await exists(name)))
        throw new HomelabError("database_exists", `the database ${printable(name)} exists`, {
          hint: `GET /api/databases/${encodeURIComponent(name)}/url hands its URLs out again.`,
        });
      if (query.dry_run) return { status: 200, body: await desk.plan(databaseProvision.name, input) };
      await attempt.begin();
      const headers = { location: `/api/databases/${encodeURIComponent(name)}` };
      return { status: 201, body: await create(input, actor.name), headers };
    },
    "POST /api/databases/provision-for-service": async ({ body, query, actor, attempt, audit }) => {
      const { service_name: service, ...rest } = body;
      const name = databaseOfService(service);
      const input = { name, ...rest };
      if (query.dry_run) return { status: 200, body: await desk.plan(databaseProvision.name, input) };
      audit({ action: databaseProvision.name, target: name });
      const known = !attempt.isBegun && (await exists(name));
      await attempt.begin();
      // Also for a known one: what a call that was cut off left undone is done now.
      const access = await create(input, actor.name);
      if (known) return { status: 200, body: { ...withoutPassword(access), service } };
      return { status: 201, body: { ...access, service }, headers: { location: `/api/databases/${name}` } };
    },
    "GET /api/databases/{name}": async ({ params }) => {
      const key = `databases/${params.name}`;
      const { value, observedAt, stale } = await remembered.ask(key, { freshFor: 0 }, () =>
        newestBackup(services, BACKUP_PATIENCE).then((newest) => databaseDetails(site, params.name, newest)),
      );
      return { status: 200, body: { ...value, observed_at: observedAt, stale } };
    },
    "DELETE /api/databases/{name}": async (call) => {
      call.audit({ action: databaseDrop.name, target: call.params.name });
      return startOperation(services, databaseDrop, call.params, call, call.query);
    },
    "GET /api/databases/{name}/url": async ({ params, query, audit }) => {
      const access = await databaseUrls(site, params.name, query.host);
      audit({ action: "database.read-password", target: params.name });
      return { status: 200, body: access };
    },
    "GET /api/deleted-databases": async ({ query }) => {
      const { value, observedAt, stale } = await remembered.ask("databases/deleted", { freshFor: LIST_FRESH }, () =>
        deletedList(site),
      );
      return { status: 200, body: { ...paginate(value, query, "deleted_name"), observed_at: observedAt, stale } };
    },
  };
}

/** `Grocy 4` has its database grocy_4_db. @throws HomelabError `name_refused` later, when it is created */
const databaseOfService = (service: string): string =>
  `${service
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/_+$/, "")}_db`;

interface Access {
  database: string;
  user: string;
  connection_url: string;
  pooled_url: string;
  host: string;
  port: number;
}

function withoutPassword({ database, user, connection_url, pooled_url, host, port }: Access): Access {
  const bare = (text: string) => {
    const url = new URL(text);
    url.password = "";
    return url.href;
  };
  return { database, user, connection_url: bare(connection_url), pooled_url: bare(pooled_url), host, port };
}
