import { HomelabError } from "../core/errors.ts";
import type { Context } from "./context.ts";

/** A setting in effect; undefined for a key that may not read settings. */
export async function settingOf(context: Context, name: string): Promise<unknown> {
  try {
    const { values } = await (await context.api()).call("GET /api/config", {});
    return values.find(({ setting }) => setting === name)?.value;
  } catch (error) {
    if (error instanceof HomelabError && error.code === "not_allowed") return undefined;
    throw error;
  }
}
