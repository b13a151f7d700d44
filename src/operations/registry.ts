import { clusterConverge } from "./cluster/converge.ts";
import { clusterCreate } from "./cluster/create.ts";
import { databaseDrop } from "./database/drop.ts";
import { databaseFinishRotation } from "./database/finish-rotation.ts";
import { databaseProvision } from "./database/provision.ts";
import { databasePurge } from "./database/purge.ts";
import { databaseRotatePassword } from "./database/rotate-password.ts";
import { databaseUndelete } from "./database/undelete.ts";
import type { AnyOperation } from "./operation.ts";
import { serviceRestart } from "./service/restart.ts";

/** Everything that the platform can do. Commands, routes, plans and the chaos test are made from this list. */
export const registry: readonly AnyOperation[] = [
  clusterCreate,
  clusterConverge,
  serviceRestart,
  databaseProvision,
  databaseDrop,
  databaseUndelete,
  databasePurge,
  databaseRotatePassword,
  databaseFinishRotation,
];
