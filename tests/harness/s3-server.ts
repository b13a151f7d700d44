import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { issueCertificate, makeAuthority, type CertificatePair } from "../../src/engines/ca.ts";
import type { S3Orders } from "./s3-worker.ts";

const BUCKET = "backups";
const YEARS_AGO = new Date(Date.now() - 3 * 365 * 86_400_000);

/**
 * A real S3 server in a process of its own: s3rver, with its defects mended, before it our own check of signatures, TLS
 * by a CA of the test's own. It can be told to misbehave.
 */
export class S3Server {
  readonly folder: string;
  readonly bucket = BUCKET;
  readonly key = `HL${randomBytes(8).toString("hex").toUpperCase()}`;
  readonly secret = randomBytes(20).toString("base64url");
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<undefined>;
  readonly #authority: CertificatePair;
  #errors = "";
  port = 0;

  private constructor(folder: string, authority: CertificatePair) {
    this.folder = folder;
    this.#authority = authority;
    // s3rver makes its continuation tokens with DES, which OpenSSL 3 counts as legacy.
    const argv = [
      "--openssl-legacy-provider",
      "--disable-warning=ExperimentalWarning",
      "--no-deprecation",
      join(import.meta.dirname, "s3-worker.ts"),
    ];
    this.#process = spawn(process.execPath, argv, { stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stderr!.on(
      "data",
      (chunk: Buffer) => (this.#errors = (this.#errors + chunk.toString()).slice(-4000)),
    );
    this.#lines = createInterface({ input: this.#process.stdout! });
    this.#ended = once(this.#process, "exit").then(() => undefined);
  }

  static async start(): Promise<S3Server> {
    const folder = await mkdtemp(join(tmpdir(), "hl-s3-"));
    await chmod(folder, 0o755);
    const server = new S3Server(folder, await makeAuthority("test S3", YEARS_AGO));
    await writeFile(server.caFile, server.#authority.certificate);
    await writeFile(server.keysFile, `${server.key}\n${server.secret}\n`);
    const keys = { [server.key]: server.secret };
    await server.tell({ folder: join(folder, "objects"), bucket: BUCKET, keys, ...(await server.#issue(new Date())) });
    return server;
  }

  get caFile(): string {
    return join(this.folder, "ca.crt");
  }

  /** The access key and the secret, as `--keys-file` takes them. */
  get keysFile(): string {
    return join(this.folder, "keys");
  }

  /** Where the objects of the bucket are. */
  get objects(): string {
    return join(this.folder, "objects", BUCKET);
  }

  /** The words behind `storage add s3 NAME`. */
  get flags(): string[] {
    const { port, bucket, caFile, keysFile } = this;
    const words = { endpoint: "localhost", port, bucket, "ca-file": caFile, "keys-file": keysFile };
    return Object.entries(words).flatMap(([name, value]) => [`--${name}`, String(value)]);
  }

  /** Gives the server orders, and waits until it follows them. */
  async tell(orders: S3Orders): Promise<void> {
    const reply = once(this.#lines, "line") as Promise<[string]>;
    this.#process.stdin!.write(`${JSON.stringify(orders)}\n`);
    const line = (await Promise.race([reply, this.#ended]))?.[0];
    if (line === undefined) throw new Error(`the S3 server ended: ${this.#errors}`);
    this.port = (JSON.parse(line) as { port: number }).port;
  }

  /** Shows a certificate that ended long ago, or a good one again. */
  async setExpired(expired: boolean): Promise<void> {
    await this.tell(await this.#issue(expired ? new Date(YEARS_AGO.getTime() + 86_400_000) : new Date()));
  }

  /** Takes the bucket away with all that is in it, or brings it back. */
  async setLost(lost: boolean): Promise<void> {
    const hidden = join(this.folder, "lost");
    await (lost ? rename(this.objects, hidden) : rename(hidden, this.objects));
  }

  async destroy(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
    await rm(this.folder, { recursive: true, force: true });
  }

  async #issue(at: Date): Promise<{ certificate: string; key: string }> {
    return issueCertificate(this.#authority, { name: "s3", dns: ["localhost"], ip: ["127.0.0.1"] }, at);
  }
}
