import { lstatSync, readFileSync, readdirSync, type Stats } from "node:fs";
import { join, relative } from "node:path";

/** Something in a folder, by its path below it. */
export interface Found {
  path: string;
  stats: Stats;
}

/** Everything under a folder, itself left out; links are not followed. */
export function walk(root: string, folder = root): Found[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    try {
      const stats = lstatSync(path);
      const found = { path: relative(root, path), stats };
      return stats.isDirectory() ? [found, ...walk(root, path)] : [found];
    } catch {
      // Engines make and remove files meanwhile.
      return [];
    }
  });
}

/** The permission bits as they are written: 0600. */
export const octal = (stats: Stats): string => (stats.mode & 0o7777).toString(8).padStart(4, "0");

/** The files under a folder that hold one of these texts, each with the names of the texts that it holds. */
export function filesHolding(root: string, secrets: Record<string, string>): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { path, stats } of walk(root)) {
    if (!stats.isFile() || path.endsWith("/node")) continue;
    const held = holding(contentOf(join(root, path)), secrets);
    if (held.length > 0) found[path] = held;
  }
  return found;
}

/** The names of the texts that are in this content, as they are or in base64. */
export function holding(content: Buffer | string, secrets: Record<string, string>): string[] {
  const inside = (secret: string) =>
    content.includes(secret) || content.includes(Buffer.from(`homelab:${secret}`).toString("base64"));
  return Object.keys(secrets).filter((name) => inside(secrets[name]!));
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
