/** An ini file as PgBouncer reads it: sections, `key = value` to the end of the line, comments on lines of their own. */
export type Ini = Map<string, Map<string, string>>;

/** Parses an ini file; `%include` is answered by `included`. @throws on a line that PgBouncer would refuse */
export function parseIni(text: string, included: (path: string) => string = () => ""): Ini {
  const ini: Ini = new Map();
  let section: Map<string, string> | undefined;
  const read = (content: string): void => {
    for (const line of content.split("\n").map((raw) => raw.trim())) {
      const heading = /^\[([^\]]*)\]$/.exec(line)?.[1];
      const pair = /^([A-Za-z0-9_*.-]+)\s*=\s*(.*)$/.exec(line);
      if (line === "" || line.startsWith(";") || line.startsWith("#")) continue;
      if (line.startsWith("%include ")) read(included(line.slice("%include ".length).trim()));
      else if (heading !== undefined) ini.set(heading, (section = ini.get(heading) ?? new Map<string, string>()));
      else if (pair && section) section.set(pair[1]!, pair[2]!);
      else throw new Error(`not a line of an ini file: ${line}`);
    }
  };
  read(text);
  return ini;
}
