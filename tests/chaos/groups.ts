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
  services: ["service.restart"],
} as const;
