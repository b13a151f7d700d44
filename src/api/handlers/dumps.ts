import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { HomelabError } from "../../core/errors.ts";
import { ArchiveCheck, BrokenArchive, checkedArchive } from "../../engines/postgres/archive-format.ts";
import { checkCreatedName } from "../../engines/postgres/names.ts";
import { streamDump } from "../../engines/postgres/dump-stream.ts";
import { remove } from "../../host/files.ts";
import { requireExportable } from "../../operations/database/exportable.ts";
import { requireEmpty } from "../../operations/database/fill.ts";
import { checkTrust, databaseImport } from "../../operations/database/import.ts";
import { listDumps } from "../../site/dump-store.ts";
import { headOf, receiveUpload, uploadPath } from "../../site/uploads.ts";
import type { Handlers } from "../call.ts";
import type { dumpsContract } from "../contract/dumps.ts";
import { BYTES } from "../endpoint.ts";
import { paginate } from "../paging.ts";
import type { Services } from "../services.ts";
import { uploadOf } from "../uploading.ts";
import { startOperation } from "./operations.ts";

/** Exports that one hub streams at once: each is a pg_dump that reads a whole database. */
const MOST_EXPORTS = 4;

/** Dumps on their way out and in, and those that are kept. */
export function dumpHandlers(services: Services): Handlers<typeof dumpsContract> {
  const { site } = services;
  let exports = 0;
  return {
    "GET /api/databases/{name}/export": async ({ params, request, signal, audit }) => {
      const look = async () => requireExportable(await (await site.postgres()).admin(), params.name);
      await look();
      const headers = { "content-disposition": disposition(params.name) };
      if (request.method === "HEAD") return { status: 200, text: "", type: BYTES, headers };
      if (exports >= MOST_EXPORTS)
        throw new HomelabError("too_many_requests", `${exports} exports are under way`, { retryAfterSeconds: 5 });
      const { superuser } = await site.secrets();
      const wish = { database: params.name, superuser, id: request.id, signal };
      exports += 1;
      const dump = ended(checkedArchive(streamDump(site.topology, wish)), () => (exports -= 1));
      // Also when nobody has read a byte of it yet.
      signal.addEventListener("abort", () => void dump.return(undefined).catch(() => {}), { once: true });
      // What goes wrong before the first byte is told as any other error; later the stream breaks off.
      const first = await dump.next().catch(async (error: unknown) => {
        // It may have been deleted since, or be about to be: that is no failure.
        const { allowsConnections } = await look();
        if (allowsConnections) throw error;
        throw new HomelabError("busy", `${params.name} lets nobody in at the moment`, {
          hint: "homelab op list shows what is done with it.",
        });
      });
      audit({ action: "database.export", target: params.name });
      return { status: 200, stream: Readable.from(joined(first, dump)), type: BYTES, headers };
    },
    "POST /api/databases/{name}/import": async (call) => {
      const { params, query, request, audit, signal } = call;
      const { paths } = site.topology;
      audit({ action: databaseImport.name, target: params.name });
      // What will be refused is refused before it was sent.
      checkCreatedName(params.name);
      checkTrust(site.topology, { trust_dump: query.trust_dump });
      await requireEmpty({ site }, params.name);
      const announced = Number(request.headers["content-length"] ?? Number.NaN);
      const body = uploadOf(request.raw, request.body as Readable);
      const file = await receiveUpload(paths, body, Number.isNaN(announced) ? undefined : announced, signal);
      try {
        await checkWhole(uploadPath(paths, file));
        const input = { name: params.name, file, trust_dump: query.trust_dump };
        const answer = await startOperation(services, databaseImport, input, call, { ...query, wait: 0 });
        if (query.dry_run) await remove(uploadPath(paths, file));
        return answer;
      } catch (error) {
        await remove(uploadPath(paths, file));
        throw error;
      }
    },
    "GET /api/databases/{name}/dumps": async ({ params, query }) => {
      const dumps = (await listDumps(site, params.name)).map(({ mac: _mac, by: _by, ...shown }) => shown);
      return { status: 200, body: paginate(dumps, query, "id") };
    },
  };
}

/** An archive that breaks off is refused at once; of SQL, its reader tells. @throws HomelabError `input_invalid` */
async function checkWhole(path: string): Promise<void> {
  if ((await headOf(path, 5)).toString("latin1") !== "PGDMP") return;
  const check = new ArchiveCheck();
  try {
    for await (const chunk of createReadStream(path)) check.push(chunk as Buffer);
    check.end();
  } catch (cause) {
    if (!(cause instanceof BrokenArchive)) throw cause;
    throw new HomelabError("input_invalid", `this is no whole dump: ${cause.message}`, {
      hint: "Make it, or copy it, once more.",
      cause,
    });
  }
}

/** A name that a header can hold (RFC 6266, 4.3). */
const disposition = (name: string): string =>
  `attachment; filename="${name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 80)}.dump"`;

async function* ended<T>(source: AsyncGenerator<T>, then: () => void): AsyncGenerator<T> {
  try {
    yield* source;
  } finally {
    then();
  }
}

async function* joined<T>(first: IteratorResult<T>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}
