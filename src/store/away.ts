import { HomelabError, errorMessage } from "../core/errors.ts";

/**
 * SQLSTATEs of a database that cannot be worked with now (PostgreSQL manual, appendix A): connection exceptions,
 * logins that are refused, no such database, a standby, short resources, statements cut off, and servers on their way
 * up or down.
 */
const AWAY_STATES = /^(08...|28...|3D000|25006|53...|57014|57P0[1-5])$/;

/** What the network says, and the driver when its connection went. */
const AWAY_ERRORS = /^(E(CONNREFUSED|CONNRESET|CONNABORTED|TIMEDOUT|PIPE|HOSTUNREACH|NETUNREACH|NOTFOUND)|EAI_AGAIN)$/;
const AWAY_WORDS =
  /connection terminated|connection ended|timeout exceeded|read timeout|connection error|not queryable/i;

/** Whether an error means that the database was not there, as opposed to a mistake in what it was asked. */
export function isAway(error: unknown): boolean {
  if (error instanceof HomelabError) return error.code === "platform_database_away";
  if (error instanceof AggregateError && error.errors.some(isAway)) return true;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (AWAY_STATES.test(code) || AWAY_ERRORS.test(code)) return true;
  return code === "" && AWAY_WORDS.test(errorMessage(error));
}

/** The error that everybody above knows: what was to be written is kept elsewhere, and written later. */
export function away(cause: unknown): HomelabError {
  if (cause instanceof HomelabError && cause.code === "platform_database_away") return cause;
  return new HomelabError("platform_database_away", `the platform's database does not answer: ${errorMessage(cause)}`, {
    cause,
    hint: "homelab health shows what is down; homelab up starts what is stopped. Databases of apps may be fine.",
  });
}
