import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Accounts, type AccountsOptions } from "../../src/accounts/accounts.ts";
import type { Caller } from "../../src/accounts/audit.ts";
import type { Credentials } from "../../src/accounts/authenticate.ts";
import { sessionCookieName } from "../../src/accounts/cookie.ts";
import { Secret } from "../../src/core/secret.ts";
import { PlatformDatabase } from "../../src/store/database.ts";
import { openSpool, type Spool } from "../../src/store/spool.ts";
import type { TemporaryPostgres } from "./temporary-postgres.ts";

/** The owner of the machine, over its socket. */
export const owner: Caller = {
  actor: { kind: "local", name: "cli:root", role: "admin", scopes: ["admin"], address: null },
  requestId: "r-1",
};

export const DASHBOARD_KEY = "the-dashboard-key-of-this-installation";

/** A request with a key. */
export const withKey = (apiKey: string, address = "192.0.2.1"): Credentials => ({
  apiKey,
  cookies: {},
  https: false,
  address,
});

/** A request with a session's cookie. */
export const withCookie = (token: string, address = "192.0.2.1"): Credentials => ({
  cookies: { [sessionCookieName(false)]: token },
  https: false,
  address,
});

/** The accounts as one hub has them, with a clock that a test can put forward. */
export class TestHub {
  readonly accounts: Accounts;
  readonly folder: string;
  readonly spool: Spool;
  readonly clock: { now(): number; ahead: number };
  readonly #database: PlatformDatabase;

  private constructor(
    parts: Pick<TestHub, "accounts" | "folder" | "spool" | "clock"> & { database: PlatformDatabase },
  ) {
    this.accounts = parts.accounts;
    this.folder = parts.folder;
    this.spool = parts.spool;
    this.clock = parts.clock;
    this.#database = parts.database;
  }

  /** `folder`: of a hub that ran before; it is removed with `destroy`. */
  static async open(
    server: TemporaryPostgres,
    name: string,
    more: Partial<AccountsOptions> & { folder?: string } = {},
  ): Promise<TestHub> {
    const { folder = await mkdtemp(join(tmpdir(), "hl-accounts-")), ...options } = more;
    const database = new PlatformDatabase({ connect: async () => ({ ...server.connection(name), max: 8 }) });
    const spool = openSpool(join(folder, "spool.db"));
    const clock = { ahead: 0, now: (): number => Date.now() + clock.ahead };
    const accounts = await Accounts.open({
      database,
      snapshot: join(folder, "accounts.json"),
      spool,
      clock,
      dashboardKey: async () => new Secret(DASHBOARD_KEY),
      pollMs: 200,
      ...options,
    });
    return new TestHub({ accounts, folder, spool, clock, database });
  }

  /** Signs in from a browser. */
  login(name: string, password: string, more: { address?: string; previousToken?: string } = {}) {
    const { address = "192.0.2.1", previousToken } = more;
    return this.accounts.login({ name, password, browser: { address }, requestId: null, previousToken });
  }

  /** Ends it as a process would end. */
  async close(): Promise<void> {
    await this.accounts.close();
    await this.#database.close();
    this.spool.close();
  }

  async destroy(): Promise<void> {
    await this.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
