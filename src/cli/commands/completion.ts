import type { Command } from "commander";
import { HomelabError } from "../../core/errors.ts";
import { isElsewhere, type Context } from "../context.ts";

/** Each asks the program itself, so that names of databases complete too, and no list is kept twice. */
const SCRIPTS: Record<string, string> = {
  bash: `_homelab() { COMPREPLY=($(compgen -W "$(homelab complete -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}")); }
complete -F _homelab homelab ./homelab`,
  zsh: `#compdef homelab
_homelab() { compadd -- \${(f)"$(homelab complete -- "\${words[@]:1:$((CURRENT-2))}" 2>/dev/null)"} }
compdef _homelab homelab`,
  fish: `complete -c homelab -f -a '(homelab complete -- (commandline -opc)[2..] 2>/dev/null)'`,
};

export async function completion({ out }: Context, shell: string): Promise<void> {
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined;
  if (!script)
    throw new HomelabError("usage", `no completion for ${shell}`, {
      hint: `There is one for ${Object.keys(SCRIPTS).join(", ")}.`,
    });
  out.line(script);
}

/** bash expands what it is given once more: a name that another program made must not run anything at a press of Tab. */
async function databaseNames(context: Context): Promise<string[]> {
  const names = isElsewhere(context.flags) ? await namesElsewhere(context) : await namesHere(context);
  return names.filter((name) => /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/.test(name));
}

async function namesElsewhere(context: Context): Promise<string[]> {
  const { items } = await (await context.api()).list("GET /api/databases", {});
  return items.map((row) => row.name);
}

/** Looked up without the hub: a press of Tab waits for nobody who is being started. */
async function namesHere(context: Context): Promise<string[]> {
  const { databaseList } = await import("../../reports/databases.ts");
  return (await databaseList(await context.site())).map((row) => row.name);
}

/** What can follow the words that stand already, one a line. */
export const complete =
  (program: Command) =>
  async (context: Context, words: string[]): Promise<void> => {
    let command = program;
    for (const word of words.filter((text) => !text.startsWith("-")))
      command = command.commands.find((child) => child.name() === word) ?? command;
    const names = command.commands
      .filter((child) => !child.name().startsWith("install-") && child.name() !== "complete")
      .map((child) => child.name());
    const options = command.options.map((option) => option.long!).filter(Boolean);
    const takesDatabase =
      command.registeredArguments.some((argument) => ["name", "database"].includes(argument.name())) &&
      command.name() !== "create";
    const databases = takesDatabase ? await databaseNames(context) : [];
    for (const word of [...names, ...databases, ...options]) context.out.line(word);
  };
