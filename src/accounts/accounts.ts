import type { Clock } from "../core/clock.ts";
import { HomelabError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { PlatformDatabase } from "../store/database.ts";
import type { Spool } from "../store/spool.ts";
import { AccountsStore, type StoreOptions } from "./accounts-store.ts";
import * as administration from "./administration.ts";
import { Audit, type Caller } from "./audit.ts";
import { authenticate, isStillIn, type Credentials } from "./authenticate.ts";
import { createSetupLink, setUp, type SetupInput } from "./first-admin.ts";
import { viewKey, type KeyView } from "./keys.ts";
import { PasswordHasher } from "./password.ts";
import type { Actor } from "./roles.ts";
import { DEFAULT_POLICY, isLiveSession, type SessionPolicy } from "./sessions.ts";
import { isSetupNeeded } from "./setup.ts";
import * as signIn from "./sign-in.ts";
import { Throttle } from "./throttle.ts";
import { viewUser, type UserView } from "./users.ts";

/** What the accounts of an installation are made of. */
export interface AccountsOptions extends Pick<StoreOptions, "pollMs" | "usesMs" | "onError"> {
  database: PlatformDatabase;
  /** The file of the snapshot: state/accounts.json. */
  snapshot: string;
  spool: Spool;
  clock: Clock;
  /** How long browsers stay signed in. */
  policy?: SessionPolicy;
  /** The installation's own key, from its secrets; asked at each use. */
  dashboardKey?: () => Promise<Secret | undefined>;
}

/** Users, keys, sessions and the audit log: all that the API asks about who may do what, and who did. */
export class Accounts {
  readonly audit: Audit;
  readonly #context: signIn.SignInContext;

  private constructor(context: signIn.SignInContext) {
    this.#context = context;
    this.audit = context.audit;
  }

  /** Works from the snapshot where the platform database is away. */
  static async open(options: AccountsOptions): Promise<Accounts> {
    const { database, spool, clock, policy = DEFAULT_POLICY, dashboardKey = async () => undefined, ...rest } = options;
    const audit = new Audit({ database, spool, clock });
    const store = await AccountsStore.open({
      ...rest,
      database,
      clock,
      policy,
      onReachable: async () => void (await audit.drain()),
      onRefilled: (from, to) =>
        audit.record({
          actor: "system",
          action: "accounts.refill",
          target: `database ${to.databaseId}`,
          before: { revision: from.revision, changed_at: from.changedAt },
          after: { revision: to.revision, changed_at: to.changedAt },
          result: "done",
        }),
    });
    const parts = { throttle: new Throttle(), hasher: new PasswordHasher() };
    return new Accounts({ store, audit, clock, policy, dashboardKey, ...parts });
  }

  /** Who makes a request. @throws HomelabError `too_many_attempts` */
  authenticate(credentials: Credentials): Promise<Actor | undefined> {
    return authenticate(this.#context, credentials);
  }

  /** Whether an actor who was let in would be let in again; for what stays open long. */
  isStillIn(actor: Actor): boolean {
    return isStillIn(this.#context, actor);
  }

  /** @throws HomelabError `not_signed_in`, `too_many_attempts` */
  login(request: signIn.SignInRequest & { name: string; password: string }): Promise<signIn.SignedIn> {
    return signIn.login(this.#context, request);
  }

  /** After SingleSignOn.finish said who it is. @throws HomelabError `not_signed_in`, `last_admin`, `platform_database_away` */
  loginWithSso(request: Parameters<typeof signIn.loginWithSso>[1]): Promise<signIn.SignedIn> {
    return signIn.loginWithSso(this.#context, request);
  }

  logout(caller: Caller, token: string): Promise<void> {
    return signIn.logout(this.#context, caller, token);
  }

  /** Asks for the password again; `actor.session.provenAt` is now from then on. @throws HomelabError `not_signed_in`, `too_many_attempts` */
  confirmPassword(caller: Caller, password: string): Promise<void> {
    return signIn.confirmPassword(this.#context, caller, password);
  }

  /** A user's own new password; his other sessions end. @throws HomelabError `not_signed_in`, `input_invalid` */
  changePassword(caller: Caller, passwords: { current: string; next: string }): Promise<void> {
    return signIn.changePassword(this.#context, caller, passwords);
  }

  /** The user behind an actor; undefined for keys and for this machine. */
  me(actor: Actor): UserView | undefined {
    const user = actor.kind === "user" && this.#context.store.lookup.usersByName.get(actor.name.replace(/^user:/, ""));
    return user ? viewUser(user) : undefined;
  }

  listUsers(): UserView[] {
    return this.#context.store.lookup.state.users.map(viewUser).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  createUser(caller: Caller, input: administration.UserInput): Promise<UserView> {
    return administration.createUser(this.#context, caller, input);
  }

  updateUser(caller: Caller, name: string, update: administration.UserUpdate): Promise<UserView> {
    return administration.updateUser(this.#context, caller, name, update);
  }

  removeUser(caller: Caller, name: string): Promise<void> {
    return administration.deleteUser(this.#context, caller, name);
  }

  /** Live sessions, of one user or of all, the last used first. */
  listSessions(userName?: string): administration.SessionView[] {
    const { store, policy, clock } = this.#context;
    const views = store.lookup.state.sessions
      .map((session) => ({ ...session, seenAt: store.uses.latest(session.id, session.seenAt) }))
      .filter((session) => isLiveSession(session, policy, clock.now()))
      .map(({ id, userId, createdAt, seenAt, expiresAt, address, userAgent }) => {
        const user = store.lookup.usersById.get(userId)?.name ?? "";
        return { id, user, createdAt, seenAt, expiresAt, address, userAgent };
      });
    return views.filter(({ user }) => !userName || user === userName).sort((a, b) => (a.seenAt > b.seenAt ? -1 : 1));
  }

  /** @throws HomelabError `not_found` */
  async revokeSession(caller: Caller, id: string): Promise<void> {
    const session = this.#context.store.lookup.state.sessions.find((other) => other.id === id);
    if (!session) throw new HomelabError("not_found", "there is no such session");
    await administration.endSession(this.#context, caller, session);
  }

  /** Every key, the revoked ones too. */
  listKeys(): KeyView[] {
    const { state } = this.#context.store.lookup;
    const { uses } = this.#context.store;
    return state.keys.map((key) => viewKey({ ...key, lastUsedAt: uses.latest(key.id, key.lastUsedAt) }));
  }

  createKey(caller: Caller, input: administration.KeyInput): Promise<{ key: KeyView; text: Secret }> {
    return administration.createKey(this.#context, caller, input);
  }

  /** By its id, its prefix or its name. */
  revokeKey(caller: Caller, which: string): Promise<void> {
    return administration.deleteKey(this.#context, caller, which);
  }

  /** Whether there is nobody yet; undefined while that is not known. */
  get setupNeeded(): boolean | undefined {
    const { store } = this.#context;
    return store.isKnown ? isSetupNeeded(store.lookup.state) : undefined;
  }

  createSetupLink(caller: Caller): Promise<{ token: Secret; expiresAt: string }> {
    return createSetupLink(this.#context, caller);
  }

  /** The first admin, by the link. */
  setUp(input: SetupInput, from: { address: string | null; requestId: string | null }): Promise<UserView> {
    return setUp(this.#context, input, from);
  }

  /** Asks the platform database now, rather than at the next look. @throws HomelabError `platform_database_away` */
  refresh(): Promise<void> {
    return this.#context.store.refresh();
  }

  close(): Promise<void> {
    return this.#context.store.close();
  }
}
