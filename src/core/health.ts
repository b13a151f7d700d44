import type { Json } from "./json.ts";

/** `unknown` is never `ok`: a check that could not look has not seen that all is well. */
export type HealthState = "ok" | "degraded" | "down" | "unknown";

/** The answer of one check: the state, one sentence for a person, and the facts behind it. */
export interface Health {
  state: HealthState;
  says: string;
  facts?: { [key: string]: Json };
  /** What to do, where something is to be done. */
  hint?: string;
}

const RANK: Record<HealthState, number> = { ok: 0, unknown: 1, degraded: 2, down: 3 };

/** The worst of several states; of none, `unknown`. */
export function worstState(states: HealthState[]): HealthState {
  return states.reduce<HealthState>((worst, s) => (RANK[s] > RANK[worst] ? s : worst), states[0] ?? "unknown");
}
