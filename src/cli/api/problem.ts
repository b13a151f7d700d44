import { errorTable, HomelabError, type ErrorCode } from "../../core/errors.ts";
import { textOf, type ApiResponse } from "./transport.ts";

/** A problem of RFC 9457 as the API answers it; from a proxy on the way comes anything. */
interface ProblemBody {
  code?: unknown;
  detail?: unknown;
  hint?: unknown;
  request_id?: unknown;
  errors?: unknown;
}

/** The error that an answer tells of, with the code of our table; what this version does not know has `failed`. */
export async function problemOf(response: ApiResponse, where: string): Promise<HomelabError> {
  const { status } = response;
  const body = readProblem(await textOf(response));
  if (typeof body?.code !== "string" || typeof body.detail !== "string") return strange(response, where);
  if (status === 401)
    return new HomelabError("not_signed_in", `${where} does not know this key`, {
      hint: "HOMELAB_API_KEY wants one that was made there (homelab key create), and was not revoked.",
    });
  const code = Object.hasOwn(errorTable, body.code) ? (body.code as ErrorCode) : "failed";
  const hint = typeof body.hint === "string" ? body.hint : inTheLog(code, body.request_id);
  const errors = Array.isArray(body.errors) ? (body.errors as { field: string; message: string }[]) : undefined;
  const wait = response.headers["retry-after"];
  const retryAfterSeconds = wait === undefined ? undefined : Number(wait);
  return new HomelabError(code, body.detail, { hint, errors, retryAfterSeconds });
}

function readProblem(text: string): ProblemBody | undefined {
  try {
    const body = JSON.parse(text) as unknown;
    return typeof body === "object" && body !== null ? body : undefined;
  } catch {
    return undefined;
  }
}

const inTheLog = (code: ErrorCode, id: unknown): string | undefined =>
  code === "failed" && typeof id === "string" ? `Look for ${id} in homelab logs hub.` : undefined;

/** An answer that no hub gives: of a proxy before it, or of something else altogether. */
function strange({ status, headers }: ApiResponse, where: string): HomelabError {
  const leads = headers["location"];
  if (status >= 300 && status < 400)
    return new HomelabError("failed", `${where} leads elsewhere${typeof leads === "string" ? `, to ${leads}` : ""}`, {
      hint: "Set HOMELAB_URL to where the hub itself is: a key is not sent on.",
    });
  const code =
    status === 401 || status === 403 ? "not_allowed" : status >= 502 && status <= 504 ? "not_running" : "failed";
  return new HomelabError(code, `${where} answers ${status}, and not as a hub of homelab does`, {
    hint: "Is it the right address, with the prefix that the proxy gives it?",
  });
}
