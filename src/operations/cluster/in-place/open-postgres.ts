import type { Step } from "../../operation.ts";
import { startPostgres } from "./stop-postgres.ts";

/** Patroni takes the data over, and the apps come in. */
export const openPostgres: Step<unknown> = {
  name: "open-postgres",
  plan: () => "let Patroni start PostgreSQL on the new data",
  async run({ site, signal }) {
    await startPostgres(site, signal);
    return { says: "PostgreSQL is primary" };
  },
  deadline: 600,
};
