import { isRoot } from "../host/account.ts";

/** Who called, settled while this process is still that user: later it is the home's owner. */
export const callerName = String(
  process.env["SUDO_USER"] ?? process.env["USER"] ?? (isRoot() ? "root" : process.getuid!()),
);
