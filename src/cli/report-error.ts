import { errorTable, HomelabError, errorMessage, type ErrorCode } from "../core/errors.ts";
import { printable } from "../core/text.ts";
import { paint } from "./output.ts";

/** What the file system refuses is not ours to do; everything else unknown is a failure. */
function codeOf(error: unknown): ErrorCode {
  if (error instanceof HomelabError) return error.code;
  return ["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException)?.code ?? "") ? "not_allowed" : "failed";
}

/** The error as the API would answer it (RFC 9457). */
function problem(error: unknown) {
  const code = codeOf(error);
  const { status, title } = errorTable[code];
  const known = error instanceof HomelabError ? error : undefined;
  return {
    type: `urn:homelab:error:${code}`,
    title,
    status,
    detail: errorMessage(error),
    code,
    hint: known?.hint,
    errors: known?.errors,
  };
}

/** Says what went wrong, and what to do; answers the exit code. */
export function reportError(error: unknown, options: { json: boolean; debug: boolean }): number {
  const code = codeOf(error);
  if (options.json) process.stderr.write(`${JSON.stringify(problem(error))}\n`);
  else {
    const lines = errorMessage(error).split("\n").map(printable);
    process.stderr.write(`${paint("red", "error:", process.stderr)} ${lines.join("\n       ")}\n`);
    if (error instanceof HomelabError && error.hint) process.stderr.write(`       ${printable(error.hint)}\n`);
  }
  if (options.debug && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return errorTable[code].exit;
}
