import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { homeFolders, homePaths } from "../../src/cluster/home.ts";
import { oneNodeTopology, type Topology } from "../../src/cluster/topology.ts";
import { waitUntil } from "../../src/core/clock.ts";
import { issueCertificate, makeAuthority } from "../../src/engines/ca.ts";
import { renderEtcd } from "../../src/engines/etcd/config.ts";
import { EtcdLeases, type EtcdAccess } from "../../src/engines/etcd/lease.ts";
import { etcdProcess } from "../../src/engines/etcd/process.ts";
import { certificateFiles } from "../../src/engines/tls.ts";
import { ensureFolder, writeAtomic } from "../../src/host/files.ts";
import { isReady } from "../../src/host/probe.ts";
import { freePortOffset } from "./port-offset.ts";
import { sampleMachine, settingsFrom } from "./sample-topology.ts";

/** An etcd of one member in a temporary folder, configured as the platform does, for tests of what needs nothing else. */
export class SingleEtcd {
  readonly folder: string;
  readonly topology: Topology;
  readonly access: EtcdAccess;
  readonly #opened: EtcdLeases[] = [];
  #child: ChildProcess | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    const settings = settingsFrom(`network: {port_offset: ${freePortOffset()}}`);
    this.topology = oneNodeTopology(folder, settings, sampleMachine);
    const { nodes, ports, paths } = this.topology;
    this.access = {
      tls: certificateFiles(paths),
      hosts: nodes.map(({ address }) => address),
      port: ports.etcd_client,
    };
  }

  static async start(): Promise<SingleEtcd> {
    const made = new SingleEtcd(await mkdtemp(join(tmpdir(), "hl-etcd-")));
    for (const { path, mode } of homeFolders(homePaths(made.folder))) await ensureFolder(path, mode);
    const now = new Date();
    const authority = await makeAuthority("test", now);
    const names = { name: "node", ...made.topology.certificateNames };
    const node = await issueCertificate(authority, names, now);
    const { ca, cert, key } = certificateFiles(made.topology.paths);
    for (const [path, text] of [
      [ca, authority.certificate],
      [cert, node.certificate],
      [key, node.key],
    ] as const)
      await writeAtomic(path, text);
    const { path, content } = renderEtcd(made.topology);
    await writeAtomic(path, String(content));
    await made.restart();
    return made;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** Starts it, after `kill` too. */
  async restart(): Promise<void> {
    const { argv, env, ready } = etcdProcess(this.topology);
    const log = openSync(join(this.folder, "etcd.log"), "a");
    this.#child = spawn(argv[0], argv.slice(1), { env, stdio: ["ignore", log, log] });
    closeSync(log);
    const { tls } = this.access;
    await waitUntil(() => isReady(ready, tls), { timeout: 30, what: "etcd answers" });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }

  /** A client of its own; closed with everything else. */
  leases(): EtcdLeases {
    const opened = new EtcdLeases(this.access);
    this.#opened.push(opened);
    return opened;
  }

  /** Ends and removes everything. */
  async destroy(): Promise<void> {
    for (const leases of this.#opened) leases.close();
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
