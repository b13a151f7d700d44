import type { Health } from "../core/health.ts";

/** Milliseconds that one part is given to answer: longer than any of them waits for its own engine. */
export const PART_PATIENCE = 6000;

/** What a part says, or `otherwise` when it takes too long: a part that hangs must not hold up what the others say. */
export async function inTime<T>(part: Promise<T>, ms: number, otherwise: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => (timer = setTimeout(() => resolve(otherwise), ms)));
  try {
    return await Promise.race([part, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A check's answer. One that breaks has not seen that all is well, and what says nothing for so long is down. */
export function checkInTime(check: Promise<Health>, ms: number): Promise<Health> {
  const safe = check.catch((error: unknown): Health => ({
    state: "unknown",
    says: `could not look: ${String(error)}`,
  }));
  return inTime(safe, ms, { state: "down", says: `no answer within ${ms / 1000} s` });
}
