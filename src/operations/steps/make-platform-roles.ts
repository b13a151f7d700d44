import { bootstrapPostgres, isBootstrapped } from "../../engines/postgres/bootstrap.ts";
import type { Step } from "../operation.ts";

/** The pooler's and the monitor's role, the pooler's lookup, and maintenance databases that nobody else can enter. */
export const makePlatformRoles: Step<unknown> = {
  name: "make-platform-roles",
  plan: () => "make the roles of pooler and monitor, and the pooler's lookup of passwords",
  check: async ({ site }) => isBootstrapped(await site.postgres()),
  async run({ site }) {
    await bootstrapPostgres(await site.postgres(), await site.secrets());
    return { says: "roles of the pooler and the monitor" };
  },
  deadline: 60,
};
