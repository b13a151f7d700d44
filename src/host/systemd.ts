import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Program } from "./program.ts";
import { run, runAny } from "./run.ts";

/** Whether systemd runs this machine (sd_booted(3)). */
export const systemdRuns = (): boolean => existsSync("/run/systemd/system");

/** The unit of a home: the machine's own is plain `homelab`, any other carries a mark of its path. */
export function unitName(home: string): string {
  if (home === "/var/lib/homelab") return "homelab.service";
  return `homelab-${createHash("sha256").update(home).digest("hex").slice(0, 8)}.service`;
}

const unitPath = (home: string): string => join("/etc/systemd/system", unitName(home));

/** A word of ExecStart: quoted, and without systemd's own meaning of % and $ (systemd.service(5), "Command lines"). */
const word = (text: string): string =>
  `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("$", "$$$$")}"`;

/**
 * The unit runs the agent and only the agent: `KillMode=process` leaves the engines alone whatever becomes of it, and an
 * end with 0 is a wanted one (`homelab down`).
 */
export function renderUnit(home: string, user: string, program: Program): string {
  const argv = [program.node, "--disable-warning=ExperimentalWarning", "--max-semi-space-size=1"];
  const command = [...argv, join(program.folder, "agent.js"), "--home", home].map(word).join(" ");
  return `# Written by homelab up. It starts the agent, and the agent starts the engines.
[Unit]
Description=HomeLabHub agent (${home})
After=network-online.target
Wants=network-online.target

[Service]
User=${user}
ExecStart=${command}
Restart=on-failure
RestartSec=0.2
StartLimitIntervalSec=0
KillMode=process
LimitNOFILE=65536
UMask=0077

[Install]
WantedBy=multi-user.target
`;
}

/**
 * Puts the unit in place, and has systemd run the agent now and after every boot. Needs root. An agent of another build
 * is replaced; the engines do not notice.
 */
export async function enableUnit(home: string, user: string, program: Program): Promise<void> {
  const path = unitPath(home);
  const text = renderUnit(home, user, program);
  const changed = !existsSync(path) || readFileSync(path, "utf8") !== text;
  if (changed) {
    writeFileSync(path, text, { mode: 0o644 });
    await run({ argv: ["systemctl", "daemon-reload"], timeout: 60 });
  }
  await run({ argv: ["systemctl", "enable", "--quiet", unitName(home)], timeout: 60 });
  const active = await runAny({ argv: ["systemctl", "is-active", "--quiet", unitName(home)], timeout: 20 });
  if (changed || active.exitCode !== 0) await run({ argv: ["systemctl", "restart", unitName(home)], timeout: 60 });
}
