import { inspect } from "node:util";

/** What stands in the place of a secret wherever one would be printed. */
export const REDACTED = "[redacted]";

/** A value that prints as `[redacted]` in text, JSON and logs; only `reveal()` gives it away. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it where the value leaves for its one user, never to keep it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
