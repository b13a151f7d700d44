import { RateLimiterMemory } from "rate-limiter-flexible";

/** Denials of nobody in particular that are written down for one address within five minutes. */
const NOTED = 20;

/**
 * Whether the denial of somebody unknown is worth a line in the audit log. The first ones of an address are; a flood would
 * only fill the disk, and is counted in the numbers.
 */
export class Denials {
  readonly #noted = new RateLimiterMemory({ points: NOTED, duration: 300 });

  async isWorthALine(address: string | null): Promise<boolean> {
    return this.#noted.consume(address ?? "socket").then(
      () => true,
      () => false,
    );
  }
}
