import { text as readAll } from "node:stream/consumers";
import { HomelabError } from "../../core/errors.ts";
import type { Context } from "../context.ts";

const METHODS = ["GET", "POST", "PATCH", "DELETE"];

/** One request as it is, for what has no command of its own. The body `-` comes from standard input. */
export async function api(context: Context, verb: string, path: string, given?: string): Promise<void> {
  const method = verb.toUpperCase();
  if (!METHODS.includes(method)) throw new HomelabError("usage", `${verb}: expected one of ${METHODS.join(", ")}`);
  if (!/^\/[\x21-\x7e]*$/.test(path))
    throw new HomelabError("usage", `${path}: expected a path such as /api/databases`);
  const body = given === "-" ? await readAll(process.stdin) : given;
  if (body !== undefined) checkJson(body);
  const answer = await (await context.api()).request({ method, path, body });
  // As it comes: it may be a stream of events.
  let last: Uint8Array | undefined;
  for await (const part of answer.body) {
    last = part;
    if (!process.stdout.write(part)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  }
  if (last && last.at(-1) !== NEWLINE) process.stdout.write("\n");
}

const NEWLINE = 10;

function checkJson(body: string): void {
  try {
    JSON.parse(body);
  } catch (cause) {
    throw new HomelabError("usage", `the body is no JSON: ${(cause as Error).message}`, { cause });
  }
}
