import { createInterface } from "node:readline/promises";
import { HomelabError } from "../core/errors.ts";
import type { Context } from "./context.ts";

/**
 * Lets a dangerous thing through only when its object's name was typed: at the prompt, or as --confirm=<name>, or
 * waived with --yes. In a pipe there is no prompt.
 */
export async function confirmName({ flags, out }: Context, name: string, say: () => Promise<string>): Promise<void> {
  if (flags.yes || flags.confirm === name) return;
  if (flags.confirm !== undefined)
    throw new HomelabError("confirmation_required", `--confirm=${flags.confirm} is not ${name}`);
  const consequence = await say();
  if (!process.stdin.isTTY)
    throw new HomelabError("confirmation_required", `nothing was done, for want of a confirmation: ${consequence}`, {
      hint: `Say so with --confirm=${name}`,
    });
  out.note(consequence);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    if ((await prompt.question(`Type ${name} to continue: `)).trim() === name) return;
  } finally {
    prompt.close();
  }
  throw new HomelabError("cancelled", "nothing was done");
}
