import { routesOf, type Mounted } from "./call.ts";
import { accountsContract } from "./contract/accounts.ts";
import { backupsContract } from "./contract/backups.ts";
import { databasesContract } from "./contract/databases.ts";
import { dumpsContract } from "./contract/dumps.ts";
import { documentsContract } from "./contract/documents.ts";
import { healthContract } from "./contract/health.ts";
import { kitContract } from "./contract/kit.ts";
import { platformContract } from "./contract/platform.ts";
import { proofsContract } from "./contract/proofs.ts";
import { operationsContract } from "./contract/operations.ts";
import { storageContract } from "./contract/storage.ts";
import { restoresContract } from "./contract/restores.ts";
import { accountHandlers } from "./handlers/accounts.ts";
import { backupHandlers } from "./handlers/backups.ts";
import { databaseHandlers } from "./handlers/databases.ts";
import { dumpHandlers } from "./handlers/dumps.ts";
import { documentHandlers } from "./handlers/documents.ts";
import { healthHandlers } from "./handlers/health.ts";
import { kitHandlers } from "./handlers/kit.ts";
import { platformHandlers } from "./handlers/platform.ts";
import { operationHandlers } from "./handlers/operations.ts";
import { storageHandlers } from "./handlers/storage.ts";
import { restoreHandlers } from "./handlers/restores.ts";
import { proofHandlers } from "./handlers/proofs.ts";
import { makeDocument } from "./openapi.ts";
import { registryRoutes } from "./registry-routes.ts";
import type { Services } from "./services.ts";

/** Every route of the API: those of the reports, and one for each operation of the registry. */
export function allRoutes(services: Services): Mounted[] {
  let document: object | undefined;
  const own: Mounted[] = [
    ...routesOf(databasesContract, databaseHandlers(services)),
    ...routesOf(backupsContract, backupHandlers(services)),
    ...routesOf(proofsContract, proofHandlers(services)),
    ...routesOf(restoresContract, restoreHandlers(services)),
    ...routesOf(dumpsContract, dumpHandlers(services)),
    ...routesOf(storageContract, storageHandlers(services)),
    ...routesOf(operationsContract, operationHandlers(services)),
    ...routesOf(platformContract, platformHandlers(services)),
    ...routesOf(kitContract, kitHandlers(services)),
    ...routesOf(accountsContract, accountHandlers(services)),
    ...routesOf(healthContract, healthHandlers(services)),
    ...routesOf(
      documentsContract,
      documentHandlers(services, () => (document ??= describeAll())),
    ),
  ];
  const taken = new Set(own.map(({ method, path }) => `${method} ${path}`));
  const all = [...own, ...registryRoutes(services, taken)];
  const describeAll = () => makeDocument(all, { version: services.version, basePath: services.settings.hub.base_path });
  return all;
}
