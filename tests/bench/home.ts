import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { findAccount, SYSTEM_USER } from "../../src/host/account.ts";
import { programIn } from "../../src/host/program.ts";
import { openInstalledSite } from "../../src/site/installation.ts";
import type { Site } from "../../src/site/site.ts";
import { checkout, TestHome } from "../harness/home.ts";
import { Psql } from "./psql.ts";

/** What a process that is started as the home's owner needs. */
export interface Owner {
  uid: number | undefined;
  gid: number | undefined;
}

/** The user of the engines, when root runs the bench; else whoever runs it. */
export function engineOwner(): Owner {
  const account = process.getuid!() === 0 ? findAccount(SYSTEM_USER) : undefined;
  return { uid: account?.uid, gid: account?.gid };
}

/** A home that the benches share. */
export class BenchHome {
  readonly test: TestHome;
  #thousand: Promise<void> | undefined;

  private constructor(test: TestHome) {
    this.test = test;
  }

  static async up(): Promise<BenchHome> {
    return new BenchHome(await TestHome.up());
  }

  get root(): string {
    return this.test.root;
  }

  get owner(): Owner {
    const { uid, gid } = statSync(this.root);
    return process.getuid!() === 0 ? { uid, gid } : { uid: undefined, gid: undefined };
  }

  /** The installation, for what root may read of it. */
  async site(): Promise<Site> {
    return openInstalledSite(this.root, await programIn(join(checkout, "dist")));
  }

  /** A psql session of the superuser over the socket, as the owner. */
  async psql(database = "postgres"): Promise<Psql> {
    const password = await this.test.secret("superuser");
    const env = { PGPASSWORD: password };
    return new Psql(`host=${this.test.paths.run} port=${this.test.port(5431)} user=postgres dbname=${database}`, {
      ...this.owner,
      env,
    });
  }

  /** Fills the server up to 1,000 databases, with plain statements. */
  thousandDatabases(): Promise<void> {
    return (this.#thousand ??= this.#fill(1000));
  }

  async #fill(wanted: number): Promise<void> {
    const psql = await this.psql();
    try {
      const present = Number(await psql.run("SELECT count(*) FROM pg_database;"));
      for (let i = present; i < wanted; i++) await psql.run(`CREATE DATABASE filler_${i} STRATEGY wal_log;`);
    } finally {
      await psql.end();
    }
  }

  /** What `services.json` says is to run. */
  async services(): Promise<{ name: string; argv: string[]; env: Record<string, string> }[]> {
    const text = await readFile(this.test.paths.services, "utf8");
    return (JSON.parse(text) as { services: { name: string; argv: string[]; env: Record<string, string> }[] }).services;
  }

  destroy(): Promise<void> {
    return this.test.destroy();
  }
}
