import type { OperationBody } from "../api/contract.ts";
import type { Context } from "../context.ts";
import { operate } from "../operate.ts";

/** PostgreSQL last of the engines: the others are back by then. */
const ALL = ["etcd", "haproxy", "pgbouncer", "pgbouncer-ro", "patroni", "postgres", "hub"];

/** Restarts one service, or all of them, one after the other. */
export async function restart(context: Context, service: string | undefined): Promise<void> {
  const done: OperationBody[] = [];
  for (const name of service ? [service] : ALL) {
    const finished = await operate(context, "service.restart", { service: name });
    if (!finished) continue;
    done.push(finished);
    if (!context.flags.json) context.out.note(`${name} restarted`);
  }
  if (!context.flags.json || done.length === 0) return;
  context.out.json(service ? done[0] : { items: done, next_cursor: null, total: done.length });
}
