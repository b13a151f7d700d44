import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize, relative } from "node:path";

/** Holds the import rule of ARCHITECTURE.md: dependencies run one way, engines do not know one another. */

/** What everything above an installation stands on. */
const GROUND = ["core", "config", "cluster", "host", "engines", "store", "journal"];
const SITE = [...GROUND, "site"];
const WORK = [...SITE, "operations", "reports"];

/** For each folder of src, what it may import beside itself: a folder, or one file of it. */
const ALLOWED: Record<string, string[]> = {
  core: [],
  config: ["core"],
  cluster: ["core", "config"],
  host: ["core", "cluster"],
  engines: ["core", "config", "cluster", "host"],
  store: ["core", "config", "cluster", "host", "engines"],
  journal: ["core", "cluster", "host", "store"],
  site: GROUND,
  reports: SITE,
  operations: SITE,
  accounts: ["core", "config", "host", "store"],
  api: [...WORK, "accounts"],
  hub: [...WORK, "accounts", "api"],
  agent: [...SITE, "operations", "reports/samples.ts", "hub/journals.ts", "hub/leadership.ts"],
  cli: [...WORK, "hub/in-process.ts"],
};

/** What a folder may know as types, and not load: a command starts in a tenth of a second, without what checks requests. */
const TYPES_ONLY: Record<string, string[]> = { cli: ["api"] };

/** Folders that do no I/O, and all of Node that they may use. */
const PURE = ["core", "config", "cluster"];
const PURE_NODE = ["node:crypto", "node:path", "node:timers/promises", "node:util"];

export interface SourceFile {
  /** Relative to src: `host/run.ts`. */
  path: string;
  text: string;
}

/** The files of src, tests left out: those may look everywhere. */
export async function readSources(root: string): Promise<SourceFile[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !/\.(test|contract)\.ts$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
  return Promise.all(paths.toSorted().map(async (path) => ({ path, text: await readFile(join(root, path), "utf8") })));
}

/** Every import that breaks the rule, as `host/run.ts:3 …`. @throws when there is nothing to check */
export function violationsOf(sources: SourceFile[]): string[] {
  if (sources.length === 0) throw new Error("no file was read: the check would hold for anything");
  return sources.flatMap((source) =>
    importsOf(source.text).flatMap(({ name, line, isType }) => {
      const reason = refusal(source.path, name, isType);
      return reason ? [`src/${source.path}:${line} ${reason}`] : [];
    }),
  );
}

/** What a file imports, statically, dynamically or as a type. */
function importsOf(text: string): { name: string; line: number; isType: boolean }[] {
  const found = text.matchAll(/(?:^|[\s;}])(?:from\s*|import\s*\(?\s*)(["'])([^"'\n]+)\1/g);
  return [...found].map((match) => ({
    name: match[2]!,
    line: text.slice(0, match.index + match[0].length).split("\n").length,
    isType: /(?:^|[\n;}])\s*(?:import|export)\s+type\b[^;"']*$/.test(text.slice(0, match.index)),
  }));
}

function refusal(from: string, name: string, isType: boolean): string | undefined {
  const folder = from.split("/")[0]!;
  if (!name.startsWith(".")) {
    const banned = PURE.includes(folder) && name.startsWith("node:") && !PURE_NODE.includes(name);
    return banned ? `${folder} does no I/O, and may not import ${name}` : undefined;
  }
  const to = normalize(join(dirname(from), name));
  const target = to.split("/")[0]!;
  if (target === "..") return `imports ${name}, which is outside of src`;
  if (target === folder) return engineRefusal(from, to);
  const edges = ALLOWED[folder];
  if (!edges) return `${folder} has no row in the table of scripts/check-imports.ts`;
  if (edges.includes(target) || edges.includes(to)) return undefined;
  const isKnown = TYPES_ONLY[folder]?.includes(target) === true;
  if (isKnown && isType) return undefined;
  return `${folder} may ${isKnown ? "only import types of" : "not import"} ${to}`;
}

/** What two engines share is passed in from cluster/topology.ts. */
function engineRefusal(from: string, to: string): string | undefined {
  const engineOf = (path: string) => /^engines\/([^/]+)\//.exec(path)?.[1];
  const [one, other] = [engineOf(from), engineOf(to)];
  return one && other && one !== other ? `the engine ${one} may not import the engine ${other}` : undefined;
}

if (import.meta.main) {
  const found = violationsOf(await readSources(join(import.meta.dirname, "..", "src")));
  for (const line of found) console.error(line);
  process.exitCode = found.length > 0 ? 1 : 0;
}
