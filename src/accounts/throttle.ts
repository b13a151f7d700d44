import { createHmac, randomBytes } from "node:crypto";
import { RateLimiterMemory } from "rate-limiter-flexible";
import { HomelabError } from "../core/errors.ts";
import { callerOf } from "./address.ts";

/** Seconds over which failures are counted. */
const WINDOW = 300;

/** Failures in a window: of one account from one address, of one address, of one account from everywhere. */
const PER_PAIR = 5;
const PER_ADDRESS = 20;
const PER_ACCOUNT = 100;

/** Seconds that an account under attack asks of a new address: more with each try, up to the longest. */
const WAIT_STEP = 2;
const LONGEST_WAIT = 300;

/** Seconds for which such an appointment holds. */
const APPOINTMENT = 300;

/** Counters of a kind: an attacker with many addresses gets no more memory than this. */
const SLOTS = 65_536;

/** A try that was let through. It counts as a failure until it succeeded. */
export interface Attempt {
  succeeded(): Promise<void>;
}

/** How a wrong key was counted. */
export interface Guess {
  /** The first and the last that a window takes are worth a line in the audit log; those between are not. */
  isNotable: boolean;
}

/**
 * Holds off whoever tries passwords or keys. Nobody is locked out for good: where an account is tried from everywhere,
 * an address at which its owner was lately comes in as ever, and one that comes for the first time is told to come back
 * in five minutes at most, and then has its try.
 */
export class Throttle {
  readonly #salt = randomBytes(32);
  #guessedAt = -Infinity;
  readonly #pair = counter(PER_PAIR);
  readonly #address = counter(PER_ADDRESS);
  readonly #account = counter(PER_ACCOUNT);
  readonly #guesses = counter(PER_ADDRESS);
  readonly #appointments = new RateLimiterMemory({ points: 1, duration: LONGEST_WAIT + APPOINTMENT });

  /**
   * Before a password is looked at: counted first, so that many at once get no more tries than one after the other.
   * Without an address (this machine's socket) nothing is counted; `isKnown`: the account was open from there lately.
   * @throws HomelabError `too_many_attempts`
   */
  async attempt(account: string, address: string | null, isKnown = false): Promise<Attempt> {
    if (address === null) return { succeeded: async () => {} };
    const caller = callerOf(address);
    const [pair, from] = [this.#slot("pair", caller, account), this.#slot("address", caller)];
    // Whoever has no try left must not fill counters: with ever new names one address would use up everybody's.
    await requireLeft(this.#address, from);
    await consume(this.#pair, pair);
    await consume(this.#address, from);
    const everywhere = this.#slot("account", account);
    if (!isKnown) await this.#admit(everywhere, pair);
    return {
      succeeded: async () => {
        await this.#pair.delete(pair);
        await this.#address.reward(from);
        if (!isKnown) await this.#account.reward(everywhere);
      },
    };
  }

  /** Counts a wrong key, token or link. @throws HomelabError `too_many_attempts` */
  async guess(address: string | null): Promise<Guess> {
    if (address === null) return { isNotable: false };
    this.#guessedAt = performance.now();
    const used = await consume(this.#guesses, this.#slot("guess", callerOf(address)));
    return { isNotable: used === 1 || used === PER_ADDRESS };
  }

  /** For secrets that a person may have chosen: not even looked at from an address that guesses. @throws HomelabError `too_many_attempts` */
  async requireFewGuesses(address: string | null): Promise<void> {
    // Every request comes by here: as long as nobody guesses, it costs nothing.
    if (performance.now() - this.#guessedAt > WINDOW * 1000) return;
    if (address !== null) await requireLeft(this.#guesses, this.#slot("guess", callerOf(address)));
  }

  /** Under attack, an account takes one try from each address, some time after it was first asked for. */
  async #admit(account: string, pair: string): Promise<void> {
    const { consumedPoints } = await this.#account.penalty(account);
    const excess = consumedPoints - PER_ACCOUNT;
    if (excess <= 0) return;
    const appointment = await this.#appointments.get(pair);
    const waited = appointment && Math.min(LONGEST_WAIT, appointment.consumedPoints);
    const begun = appointment && (LONGEST_WAIT + APPOINTMENT) * 1000 - appointment.msBeforeNext;
    // Whoever takes the appointment away has the one try: of many that come at once it is one.
    if (waited && begun! >= waited * 1000 && (await this.#appointments.delete(pair))) return;
    // Being told to wait is not held against whoever comes back in time.
    await this.#pair.reward(pair);
    if (waited) {
      await this.#account.reward(account);
      throw tooMany(Math.max(0, waited * 1000 - begun!));
    }
    const wait = Math.min(LONGEST_WAIT, excess * WAIT_STEP);
    await this.#appointments.set(pair, wait, LONGEST_WAIT + APPOINTMENT);
    throw tooMany(wait * 1000);
  }

  /** One of a fixed number of counters. Which one is this process's secret: nobody can aim at another one's. */
  #slot(...parts: string[]): string {
    const digest = createHmac("sha256", this.#salt).update(JSON.stringify(parts)).digest();
    return String(digest.readUInt32BE(0) % SLOTS);
  }
}

const counter = (points: number): RateLimiterMemory => new RateLimiterMemory({ points, duration: WINDOW });

/** Refuses where no point is left; takes none. */
async function requireLeft(limiter: RateLimiterMemory, key: string): Promise<void> {
  const state = await limiter.get(key);
  if (state && state.consumedPoints >= limiter.points && state.msBeforeNext > 0) throw tooMany(state.msBeforeNext);
}

/** Takes a point and answers how many are taken. */
async function consume(limiter: RateLimiterMemory, key: string): Promise<number> {
  try {
    return (await limiter.consume(key)).consumedPoints;
  } catch (refusal) {
    throw tooMany((refusal as { msBeforeNext: number }).msBeforeNext);
  }
}

function tooMany(ms: number): HomelabError {
  const retryAfterSeconds = Math.max(1, Math.ceil(ms / 1000));
  return new HomelabError("too_many_attempts", "too many failed attempts", {
    hint: `Try again in ${retryAfterSeconds} s.`,
    retryAfterSeconds,
  });
}
