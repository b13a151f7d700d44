import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { HomelabError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { promptSilently } from "./ask-password.ts";

/** The way into an S3-compatible server. */
interface Keys {
  key: string;
  secret: Secret;
}

/** Variables that tools of S3 have in common, and those that MinIO's server is started with. */
const VARIABLES = [
  ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
  ["MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"],
] as const;

const HINT =
  "Give --keys-file with two lines, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write both lines to standard input.";

/**
 * Access key and secret, from where nobody else sees them: a file, the environment, a prompt that shows nothing, or in a
 * pipe standard input. Never an argument: those are in every list of processes.
 */
export async function askKeys(file: string | undefined, env: NodeJS.ProcessEnv): Promise<Keys> {
  if (file !== undefined) return keysIn(await readFile(file, "utf8"), file);
  for (const [key, secret] of VARIABLES)
    if (env[key] && env[secret]) return { key: env[key], secret: new Secret(env[secret]) };
  if (!process.stdin.isTTY) return keysIn(await readAll(process.stdin), "standard input");
  const lines = [await promptSilently("Access key: "), await promptSilently("Secret key: ")];
  return keysIn(lines.join("\n"), "what was typed");
}

/** Two lines. @throws HomelabError `usage`, without a word of what was there */
export function keysIn(text: string, where: string): Keys {
  const [key, secret, ...more] = text.split(/\r?\n/).map((line) => line.trim());
  if (key && secret && more.every((line) => line === "")) return { key, secret: new Secret(secret) };
  throw new HomelabError("usage", `${where} does not hold an access key and a secret, each on a line`, { hint: HINT });
}
