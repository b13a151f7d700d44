import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { HomelabError } from "../core/errors.ts";
import { LONGEST_PASSWORD } from "./password-rules.ts";

/** Argon2id's costs: kibibytes, passes, lanes. */
interface Costs {
  memory: number;
  passes: number;
  parallelism: number;
}

/** Today's costs: OWASP's first choice for argon2id (19 MiB, two passes, one lane). */
const TODAY: Costs = { memory: 19_456, passes: 2, parallelism: 1 };

/** A stored hash that asks for more than this was not written by us, and would be a way to take the memory. */
const MOST: Costs = { memory: 262_144, passes: 16, parallelism: 16 };

/** Hashes at a time, and how many may wait: a flood of logins must not take the memory of the machine. */
const AT_ONCE = 2;
const WAITING = 128;

const derive = promisify(argon2);

/** A stored password: its costs are part of it, so that they can be raised later. */
interface ParsedHash extends Costs {
  salt: Buffer;
  hash: Buffer;
}

/** Makes and checks password hashes, a few at a time. */
export class PasswordHasher {
  readonly #waiting: (() => void)[] = [];
  /** Looks like a stored password, and no password gives it. */
  readonly #decoy: ParsedHash = { ...TODAY, salt: randomBytes(16), hash: randomBytes(32) };
  readonly #derive: typeof derive;
  #running = 0;

  constructor(how = derive) {
    this.#derive = how;
  }

  /** The PHC string of a new password: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. @throws HomelabError `too_many_attempts` */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(16);
    return phcString({
      ...TODAY,
      salt,
      hash: await this.#compute(password, { ...TODAY, salt, hash: Buffer.alloc(32) }),
    });
  }

  /**
   * Whether the password is right, by the costs that are stored with it. Without a stored hash (an unknown user, one who
   * signs in elsewhere) it takes as long, and the answer is no. @throws HomelabError `too_many_attempts`
   */
  async verify(password: string, stored: string | null | undefined): Promise<boolean> {
    const possible = password.length <= LONGEST_PASSWORD * 4;
    const known = stored && possible ? parsePhc(stored) : undefined;
    const { hash, ...rest } = known ?? this.#decoy;
    const derived = await this.#compute(possible ? password : "", { hash, ...rest });
    return timingSafeEqual(derived, hash) && known !== undefined;
  }

  async #compute(password: string, { memory, passes, parallelism, salt, hash }: ParsedHash): Promise<Buffer> {
    await this.#enter();
    try {
      const message = normalized(password);
      const costs = { memory, passes, parallelism, tagLength: hash.length };
      return await this.#derive("argon2id", { message, nonce: salt, ...costs });
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < AT_ONCE) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= WAITING)
      throw new HomelabError("too_many_attempts", "too many are signing in at once", { retryAfterSeconds: 5 });
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The place goes to the next one who waits, or becomes free. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}

/** Whether a stored hash costs less than today's: the next login writes it again. */
export function isBelowToday(stored: string): boolean {
  const parsed = parsePhc(stored);
  return !parsed || parsed.memory < TODAY.memory || parsed.passes < TODAY.passes;
}

/** One keyboard sends an umlaut as one character, another as two: the same password for a person. */
const normalized = (password: string): string => password.normalize("NFC");

const base64 = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");

const phcString = ({ memory, passes, parallelism, salt, hash }: ParsedHash): string =>
  `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(hash)}`;

function parsePhc(text: string): ParsedHash | undefined {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(text);
  if (!match) return undefined;
  const [memory, passes, parallelism] = match.slice(1, 4).map(Number) as [number, number, number];
  const [salt, hash] = [Buffer.from(match[4]!, "base64"), Buffer.from(match[5]!, "base64")];
  const within = memory <= MOST.memory && passes <= MOST.passes && parallelism <= MOST.parallelism;
  const possible = passes >= 1 && parallelism >= 1 && memory >= 8 * parallelism && salt.length >= 8;
  return within && possible && hash.length >= 16 ? { memory, passes, parallelism, salt, hash } : undefined;
}
