import { statSync } from "node:fs";
import { chown, cp, mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runAny, run } from "../../src/host/run.ts";
import type { TestHome } from "./home.ts";

/** A small disk of its own: a file with ext4 in it, mounted beside a home. */
export class LoopDisk {
  readonly folder: string;
  readonly #owner: { uid: number; gid: number };

  private constructor(folder: string, owner: { uid: number; gid: number }) {
    this.folder = folder;
    this.#owner = owner;
  }

  /** Undefined where this machine mounts nothing for us. */
  static async mount(home: TestHome, megabytes: number): Promise<LoopDisk | undefined> {
    if (process.getuid!() !== 0) return undefined;
    const parent = join(home.root, "..");
    const image = join(parent, "disk.img");
    const folder = join(parent, "disk");
    await writeFile(image, "");
    await truncate(image, megabytes * 1024 * 1024);
    await mkdir(folder);
    await run({ argv: ["mkfs.ext4", "-q", "-m", "0", image], timeout: 30 });
    const { exitCode } = await runAny({ argv: ["mount", "-o", "loop", image, folder], timeout: 30 });
    if (exitCode !== 0) return undefined;
    const { uid, gid } = statSync(home.root);
    await chown(folder, uid, gid);
    return new LoopDisk(folder, { uid, gid });
  }

  /** Copies what a folder holds to this disk, for the same owner. */
  async take(source: string): Promise<void> {
    await rm(join(this.folder, "lost+found"), { recursive: true, force: true });
    await cp(source, this.folder, { recursive: true, preserveTimestamps: true });
    await run({ argv: ["chown", "-R", `${this.#owner.uid}:${this.#owner.gid}`, this.folder], timeout: 30 });
    await run({ argv: ["chmod", "700", this.folder], timeout: 10 });
  }

  async unmount(): Promise<void> {
    await runAny({ argv: ["umount", "-l", this.folder], timeout: 30 });
  }
}
