import type { AccountsState, ApiKey, User, WebSession } from "./state.ts";

/** A state with the ways by which it is asked. */
export class Lookup {
  readonly state: AccountsState;
  readonly usersById: ReadonlyMap<string, User>;
  readonly usersByName: ReadonlyMap<string, User>;
  readonly keysByPrefix: ReadonlyMap<string, ApiKey>;
  readonly sessionsByTokenHash: ReadonlyMap<string, WebSession>;

  constructor(state: AccountsState) {
    this.state = state;
    this.usersById = new Map(state.users.map((user) => [user.id, user]));
    this.usersByName = new Map(state.users.map((user) => [user.name, user]));
    this.keysByPrefix = new Map(state.keys.map((key) => [key.prefix, key]));
    this.sessionsByTokenHash = new Map(state.sessions.map((session) => [session.tokenHash, session]));
  }
}
