import { readdirSync, readFileSync, statSync } from "node:fs";
import { registerHooks } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** Whether other users than its owner cannot get at a folder: a clone below /root, say. */
export function isClosedToOthers(folder: string): boolean {
  const isOpen = (statSync(folder).mode & 0o001) === 0o001;
  return !isOpen || (folder !== "/" && isClosedToOthers(dirname(folder)));
}

/**
 * Reads every module of a folder now, and gives it out of memory from then on: what a command loads only when it needs
 * it must still be there once this process has become a user who cannot read the folder.
 */
export function keepModulesInMemory(folder: string): void {
  const names = readdirSync(folder).filter((name) => name.endsWith(".js"));
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const texts = new Map(names.map((name) => [pathToFileURL(join(folder, name)).href, read(name)]));
  registerHooks({
    resolve(specifier, context, next) {
      const url =
        specifier.startsWith(".") && context.parentURL ? new URL(specifier, context.parentURL).href : specifier;
      return texts.has(url) ? { url, format: "module", shortCircuit: true } : next(specifier, context);
    },
    load(url, context, next) {
      const source = texts.get(url);
      return source === undefined ? next(url, context) : { source, format: "module", shortCircuit: true };
    },
  });
}
