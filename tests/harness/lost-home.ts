import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "../../src/core/clock.ts";
import { run } from "../../src/host/run.ts";
import { askAsSuperuser } from "./clients.ts";
import type { TestHome } from "./home.ts";

/** What is left of a lost machine: its repository and its kit, in a folder of their own. */
export class Remains {
  readonly folder: string;
  readonly repository: string;
  readonly kit: string;
  readonly passphraseFile: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.repository = join(folder, "repository");
    this.kit = join(folder, "kit.age");
    this.passphraseFile = join(folder, "passphrase");
  }

  static async folder(passphrase: string): Promise<Remains> {
    const folder = await mkdtemp(join(tmpdir(), "hl-remains-"));
    await chmod(folder, 0o755);
    const remains = new Remains(folder);
    await writeFile(remains.passphraseFile, `${passphrase}\n`, { mode: 0o600 });
    return remains;
  }

  /** Makes a kit of a home. */
  async makeKit(home: TestHome): Promise<void> {
    await home.ok("platform", "kit", "--output", this.kit, "--passphrase-file", this.passphraseFile);
  }

  /** The machine burns: its processes end at once, its home is gone, and the repository was on another disk. */
  async lose(home: TestHome): Promise<void> {
    await home.killEverything();
    await rename(home.paths.backups, this.repository);
    await home.destroy();
  }

  /** The flags by which `up` recovers from here. */
  flags(repository = this.repository): string[] {
    return ["--recover", this.kit, "--passphrase-file", this.passphraseFile, "--repository-path", repository];
  }

  /** Another copy of the repository, for a trial of its own. Its owner is the same. */
  async copy(name: string): Promise<string> {
    const copy = join(this.folder, name);
    await run({ argv: ["cp", "-a", this.repository, copy] });
    return copy;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Waits until everything that was committed so far is in the repository. */
export async function archiveAll(home: TestHome): Promise<void> {
  const [row] = await askAsSuperuser<{ name: string }>(home, "SELECT pg_walfile_name(pg_switch_wal()) AS name");
  await waitUntil(
    async () => {
      const [seen] = await askAsSuperuser<{ last: string }>(
        home,
        "SELECT last_archived_wal AS last FROM pg_stat_archiver",
      );
      return (seen?.last ?? "") >= row!.name;
    },
    { timeout: 60, every: 200, what: "the WAL was archived" },
  );
}
