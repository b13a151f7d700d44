import type { Command } from "commander";
import { HomelabError } from "../core/errors.ts";
import type { Context } from "./context.ts";

/** What a command's own file exports: a function of the context, its arguments and its flags. */
// Each command has other arguments; the table below is where they are put together.
// oxlint-disable-next-line no-explicit-any
type Handler = (context: Context, ...args: any[]) => Promise<void>;

/** A flag that takes a whole number. */
export const count = (name: string) => (text: string) => {
  if (!/^\d+$/.test(text)) throw new HomelabError("usage", `${name} ${text}: expected a whole number`);
  return Number(text);
};
/** A flag that may be repeated. */
export const collect = (value: string, before: string[] = []) => [...before, ...value.split(",")];

/** Each command is loaded when it is called, and only then: a start costs what one command needs. */
export function action(load: () => Promise<Handler>) {
  return async (...args: unknown[]) => {
    const command = args.at(-1) as Command;
    const own = args.slice(0, -2);
    const [{ makeContext }, handler] = await Promise.all([import("./context.ts"), load()]);
    const flags = flagsOf(command);
    const context = makeContext(flags);
    try {
      await handler(context, ...own, flags);
    } finally {
      await context.close();
    }
  };
}

/** A command of the machine's own: it works on files and processes, so not through a hub elsewhere. */
export const onNode = (load: () => Promise<Handler>) =>
  action(async () => {
    const handler = await load();
    return async (context, ...args) => {
      const { isElsewhere } = await import("./context.ts");
      if (!isElsewhere(context.flags)) return handler(context, ...args);
      throw new HomelabError("usage", "this command works on the node itself", {
        hint: "HOMELAB_URL leads elsewhere: unset it, or run the command there.",
      });
    };
  });

/** The flags of a command and of those above it: what was given wins over a default, and the nearer one over the farther. */
function flagsOf(command: Command): Record<string, unknown> {
  const chain: Command[] = [];
  for (let at: Command | null = command; at; at = at.parent) chain.unshift(at);
  const flags: Record<string, unknown> = {};
  for (const each of chain)
    for (const [name, value] of Object.entries(each.opts()))
      if (!(name in flags) || each.getOptionValueSource(name) !== "default") flags[name] = value;
  return flags;
}
