import { backupCheck } from "./backup/check.ts";
import { backupCreate } from "./backup/create.ts";
import { backupVerify } from "./backup/verify.ts";
import { clusterConverge } from "./cluster/converge.ts";
import { clusterCreate } from "./cluster/create.ts";
import { clusterDiscardReplaced } from "./cluster/discard-replaced.ts";
import { clusterRestore } from "./cluster/restore.ts";
import { clusterUndoRestore } from "./cluster/undo-restore.ts";
import { clusterRecover } from "./cluster/recover.ts";
import { databaseDiscard } from "./database/discard.ts";
import { databaseBackup } from "./database/backup.ts";
import { databaseBranch } from "./database/branch.ts";
import { databaseDrop } from "./database/drop.ts";
import { databaseFinishRotation } from "./database/finish-rotation.ts";
import { databaseImport } from "./database/import.ts";
import { databaseProvision } from "./database/provision.ts";
import { databasePurge } from "./database/purge.ts";
import { databaseRestore } from "./database/restore.ts";
import { databaseRotatePassword } from "./database/rotate-password.ts";
import { databaseSwitchBack } from "./database/switch-back.ts";
import { databaseSwitchTo } from "./database/switch-to.ts";
import { databaseUndelete } from "./database/undelete.ts";
import type { AnyOperation } from "./operation.ts";
import { serviceRestart } from "./service/restart.ts";
import { storageAdd } from "./storage/add.ts";
import { storageRemove } from "./storage/remove.ts";

/** Everything that the platform can do. Commands, routes, plans and the chaos test are made from this list. */
export const registry: readonly AnyOperation[] = [
  clusterCreate,
  clusterConverge,
  clusterRecover,
  serviceRestart,
  databaseProvision,
  databaseDrop,
  databaseUndelete,
  databasePurge,
  databaseRotatePassword,
  databaseFinishRotation,
  databaseImport,
  databaseBackup,
  databaseBranch,
  backupCreate,
  clusterRestore,
  clusterUndoRestore,
  clusterDiscardReplaced,
  backupVerify,
  backupCheck,
  databaseRestore,
  databaseSwitchTo,
  databaseSwitchBack,
  databaseDiscard,
  storageAdd,
  storageRemove,
];
