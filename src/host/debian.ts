import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { HomelabError } from "../core/errors.ts";
import { cleanEnvironment, run, runAny } from "./run.ts";

const POLICY = "/usr/sbin/policy-rc.d";
const POLICY_MARK = "# Placed by homelab while it installs packages";
const CLUSTER_CONF = "/etc/postgresql-common/createcluster.conf";

/** The services that the packages would start by themselves: ours run from our own home instead. */
const UNITS = ["etcd.service", "haproxy.service", "patroni.service", "pgbouncer.service", "postgresql.service"];

/**
 * Installs Debian packages without letting one of them start anything: no service, and no default cluster of
 * PostgreSQL (invoke-rc.d(8), policy-rc.d; pg_createcluster(1), create_main_cluster). Needs root.
 */
export async function installPackages(names: string[], onStep: (says: string) => void): Promise<void> {
  const fresh = !existsSync("/usr/bin/pg_lsclusters");
  const release = denyServiceStarts();
  try {
    if (fresh) forbidDefaultCluster();
    onStep("apt-get update");
    await apt(["update", "-qq"], onStep);
    onStep(`apt-get install ${names.join(" ")}`);
    await apt(["install", "-y", "-q", "--no-upgrade", "--no-install-recommends", ...names], onStep);
  } finally {
    release();
  }
  await disableUnits(UNITS.filter((unit) => names.some((name) => name.startsWith(unit.split(".")[0]!))));
}

async function apt(words: string[], onStep: (says: string) => void): Promise<void> {
  const env = cleanEnvironment({ DEBIAN_FRONTEND: "noninteractive", ...proxyVariables() });
  const wait = ["-o", "DPkg::Lock::Timeout=120"];
  try {
    await run({
      argv: ["apt-get", ...wait, ...words],
      env,
      timeout: 1800,
      onErrorLine: (line) => line.startsWith("E:") && onStep(line),
    });
  } catch (cause) {
    throw new HomelabError("packages_missing", `the packages could not be installed: ${(cause as Error).message}`, {
      hint: `Try it by hand: apt-get ${words.join(" ")}`,
      cause,
    });
  }
}

/** apt asks these variables for the way out. */
function proxyVariables(): Record<string, string> {
  const names = ["http_proxy", "https_proxy", "no_proxy"];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** Denies every start while packages are unpacked; somebody else's policy stays in force, and ours of a run that died is replaced. */
function denyServiceStarts(): () => void {
  const foreign = existsSync(POLICY) && !readFileSync(POLICY, "utf8").includes(POLICY_MARK);
  if (foreign) return () => {};
  writeFileSync(POLICY, `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`);
  chmodSync(POLICY, 0o755);
  return () => rmSync(POLICY, { force: true });
}

function forbidDefaultCluster(): void {
  if (existsSync(CLUSTER_CONF)) return;
  mkdirSync(dirname(CLUSTER_CONF), { recursive: true });
  writeFileSync(CLUSTER_CONF, "# Written by homelab: no default cluster beside ours.\ncreate_main_cluster = false\n");
}

/** Neither now nor after a reboot, with systemd running or not (deb-systemd-helper(1p), update-rc.d(8)). */
async function disableUnits(units: string[]): Promise<void> {
  const running = existsSync("/run/systemd/system");
  for (const unit of units) {
    if (running) await runAny({ argv: ["systemctl", "disable", "--now", unit], timeout: 60 });
    await runAny({ argv: ["deb-systemd-helper", "disable", unit], timeout: 60 });
    await runAny({ argv: ["update-rc.d", unit.replace(".service", ""), "disable"], timeout: 60 });
  }
}
