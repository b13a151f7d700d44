import type { CrashPoint } from "../operations/walk.ts";

/** HOMELAB_CRASH_AT=database.provision:create-database:after-effect makes this process die there: for tests of what follows. */
export function crashPoint(env: NodeJS.ProcessEnv): ((point: CrashPoint) => Promise<void>) | undefined {
  const wanted = env["HOMELAB_CRASH_AT"];
  if (!wanted) return undefined;
  return async ({ operation, step, moment }) => {
    if ([operation, step, moment].join(":").startsWith(wanted)) process.kill(process.pid, "SIGKILL");
  };
}
