/** Which operations are put to the test in one home, one after the other. Groups take about equally long. */
export const groups = {
  databases: [
    "database.provision",
    "database.drop",
    "database.undelete",
    "database.purge",
    "database.rotate-password",
    "database.finish-rotation",
  ],
  backups: ["backup.create", "backup.check"],
  proofs: ["backup.verify"],
  restores: ["database.restore", "database.switch-to", "database.switch-back", "database.discard"],
  dumps: ["database.import", "database.backup", "database.branch"],
  storage: ["storage.add", "storage.remove"],
  services: ["service.restart"],
  restoreInPlace: ["cluster.restore"],
  undoRestore: ["cluster.undo-restore", "cluster.discard-replaced"],
} as const;
