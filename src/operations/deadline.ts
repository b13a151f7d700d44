import { HomelabError } from "../core/errors.ts";

/** A deadline that measured progress puts off. */
export interface Deadline {
  signal: AbortSignal;
  extend(): void;
  clear(): void;
}

/** Starts a deadline of `seconds`; the signal also follows the caller's own. */
export function startDeadline(step: string, seconds: number, caller: AbortSignal): Deadline {
  const controller = new AbortController();
  const expire = () =>
    controller.abort(new HomelabError("deadline_passed", `${step} made no progress for ${seconds} s`));
  const follow = () => controller.abort(caller.reason);
  let timer = setTimeout(expire, seconds * 1000);
  if (caller.aborted) follow();
  caller.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    extend() {
      clearTimeout(timer);
      timer = setTimeout(expire, seconds * 1000);
    },
    clear() {
      clearTimeout(timer);
      caller.removeEventListener("abort", follow);
    },
  };
}

/** Waits for work, but not beyond the signal: a step that does not listen is given up all the same. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = () => reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    if (signal.aborted) return give();
    signal.addEventListener("abort", give, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", give));
  });
}
