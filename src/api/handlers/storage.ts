import { HomelabError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { storageAdd } from "../../operations/storage/add.ts";
import { storageReport, testRepository } from "../../reports/storage.ts";
import { forgetKeys, keepKeys } from "../../site/storage-keys.ts";
import type { Handlers } from "../call.ts";
import type { storageContract } from "../contract/storage.ts";
import { paginate } from "../paging.ts";
import type { Services } from "../services.ts";
import { startOperation } from "./operations.ts";

/** Milliseconds for which the repositories are not read again: each reading is two programs for each of them. */
const FRESH = 2000;

/** Where backups are kept. */
export function storageHandlers(services: Services): Handlers<typeof storageContract> {
  const { site, remembered } = services;
  const { paths } = services.topology;
  return {
    "GET /api/storage": async ({ query }) => {
      const look = () => storageReport(site);
      const { value, observedAt, stale } = await remembered.ask("backups/storage", { freshFor: FRESH }, look);
      return { status: 200, body: { ...paginate(value, query, "name"), observed_at: observedAt, stale } };
    },
    "POST /api/storage": async (call) => {
      const { key, key_secret: secret, ...place } = call.body;
      call.audit({ action: storageAdd.name, target: place.name });
      if (place.type === "disk") return startOperation(services, storageAdd, place, call, call.query);
      if (!key || !secret)
        throw new HomelabError("input_invalid", "s3 needs key and key_secret", {
          errors: [{ field: key ? "key_secret" : "key", message: "s3 needs it" }],
        });
      const keys = await keepKeys(paths, { key, secret: new Secret(secret) });
      try {
        return await startOperation(services, storageAdd, { ...place, keys }, call, call.query);
      } catch (error) {
        // It was refused before it began.
        await forgetKeys(paths, keys);
        throw error;
      } finally {
        if (call.query.dry_run) await forgetKeys(paths, keys);
      }
    },
    "POST /api/storage/{name}/test": async ({ params, audit }) => {
      const { repositories } = await site.storage();
      const found = repositories.find(({ name }) => name === params.name);
      audit({ action: "storage.test", target: params.name });
      if (found) return { status: 200, body: await testRepository(site, found) };
      throw new HomelabError("not_found", `there is no repository ${params.name}`, {
        hint: "homelab storage list shows them.",
      });
    },
  };
}
