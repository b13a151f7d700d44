import type { Context } from "../context.ts";
import { operate } from "../operate.ts";

/** PostgreSQL last: the others are back by then. */
const ALL = ["etcd", "haproxy", "pgbouncer", "pgbouncer-ro", "patroni", "postgres"];

/** Restarts one service, or all of them, one after the other. */
export async function restart(context: Context, service: string | undefined): Promise<void> {
  const site = await context.site();
  const names = service ? [service] : ALL;
  for (const name of names) {
    if (!(await operate(context, site, "service.restart", { service: name }))) continue;
    if (!context.flags.json) context.out.note(`${name} restarted`);
  }
  if (context.flags.json && !context.flags.dryRun) context.out.json({ restarted: names });
}
