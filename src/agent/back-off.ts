/** Milliseconds before the next start, by the deaths of the last minute: at once the first time, then ever longer, 30 s at most. */
export function backOff(deaths: number): number {
  return [0, 0, 500, 1000, 2000, 5000, 10_000, 20_000][deaths] ?? 30_000;
}
