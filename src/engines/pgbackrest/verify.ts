import type { Topology } from "../../cluster/topology.ts";
import { HomelabError } from "../../core/errors.ts";
import { runAny } from "../../host/run.ts";
import { pgbackrestArgv, pgbackrestEnvironment } from "./command.ts";

/** What pgBackRest found when it read a repository whole. */
export interface Verification {
  /** Backups that are not whole: the label, with what is wrong in words. */
  backups: Map<string, string>;
  /** Segments of WAL whose content is not what was archived. */
  segments: string[];
  /** What else it said against the repository. */
  others: string[];
}

/**
 * Has pgBackRest read every file of a repository and compare its checksum. Its exit code says nothing (measured, 2.45: 0
 * with a corrupt file), nor does its silence: only its report does.
 * @throws HomelabError `process_failed` when there is no report
 */
export async function verifyRepository(topology: Topology, repo: number, signal?: AbortSignal): Promise<Verification> {
  const options = { repo, output: "text", verbose: true as const, "log-level-console": "info", "log-timestamp": "n" };
  const argv = pgbackrestArgv(topology, "verify", options);
  const { stdout, stderr } = await runAny({ argv, env: pgbackrestEnvironment(topology), signal });
  signal?.throwIfAborted();
  if (/^ *(P00 +INFO: )?status: (ok|error)/m.test(stdout)) return parseVerification(stdout);
  const says = `${stderr}\n${stdout}`.trim().split("\n").slice(-3).join("\n");
  throw new HomelabError("process_failed", `pgbackrest verify gave no report: ${says}`);
}

/** Words that stand before a number in a line of what is wrong. */
const WRONG = /(missing|checksum invalid|size invalid|other): ([1-9]\d*)/g;

/** Reads what `verify --output=text --verbose` prints. */
export function parseVerification(text: string): Verification {
  const found: Verification = { backups: new Map(), segments: [], others: [] };
  const lines = text.split("\n").map((line) => line.trim());
  for (const [i, line] of lines.entries()) {
    const backup = /^backup: (\S+), status: ([a-z -]+)/.exec(line);
    if (backup && !["valid", "in-progress"].includes(backup[2]!))
      found.backups.set(backup[1]!, faultInWords(backup[2]!, lines[i + 1] ?? ""));
    const segment = /(?:invalid|missing)\b.*?\/([0-9A-F]{24})-[0-9a-f]{40}/.exec(line);
    if (segment) found.segments.push(segment[1]!);
    if (/^No usable (backup|archive)\.info file/.test(line)) found.others.push(line);
  }
  found.segments = [...new Set(found.segments)].sort();
  return found;
}

function faultInWords(status: string, details: string): string {
  if (status === "manifest missing") return "its manifest is missing";
  const parts = [...details.matchAll(WRONG)].map(([, what, count]) => {
    const files = count === "1" ? "1 file" : `${count} files`;
    return {
      missing: `${files} missing`,
      "checksum invalid": `${files} corrupt`,
      "size invalid": `${files} cut short`,
    }[what!];
  });
  const said = parts.filter((part) => part !== undefined);
  return said.length > 0 ? `${said.join(", ")} in the repository` : "its files cannot be read";
}
