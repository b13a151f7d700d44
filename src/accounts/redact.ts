import type { Json } from "../core/json.ts";
import { REDACTED } from "../core/secret.ts";

/** Members that hold a secret, whatever is in them. */
const SECRET_NAME =
  /(^|_)(pass|passwd|pwd|password|passphrase|secret|secrets|token|apikey|api_key|access_key|private_key|authorization|cookie|credential|credentials|verifier|dsn|hash)($|_)/;

/** Secrets inside of texts, and what of them may stay. Every repetition has an end: a long text must not take long. */
const SECRET_TEXTS: [RegExp, string][] = [
  // scheme://user:password@ ; a password that was not encoded may hold anything but spaces
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@]{0,200}):[^\s"'<>]{0,1000}@/gi, `$1:${REDACTED}@`],
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^]*?(-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g, REDACTED],
  [/\bhl_([A-Za-z0-9]{8})_[A-Za-z0-9_-]+/g, `hl_$1_${REDACTED}`],
  [/\$argon2[a-z]*\$\S+/g, REDACTED],
  [/SCRAM-SHA-256\$\S+/g, REDACTED],
  [/\beyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{1,8000}\.[A-Za-z0-9_-]*/g, REDACTED],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}/gi, `$1 ${REDACTED}`],
  [
    /\b(password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)(["']?\s{0,9}[=:]\s{0,9})("[^"]*"|'[^']*'|[^\s&;,]+)/gi,
    `$1$2${REDACTED}`,
  ],
];

const DEEPEST = 20;

/** Takes out of a value whatever looks like a secret, and what the database could not hold in JSON. */
export function redact(value: Json, depth = 0): Json {
  if (typeof value === "string") return redactText(value);
  if (value === null || typeof value !== "object") return value;
  if (depth >= DEEPEST) return "[too deep]";
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      storable(name),
      isSecretMember(name, item) ? REDACTED : redact(item, depth + 1),
    ]),
  );
}

/** The same for one text. */
export const redactText = (text: string): string =>
  SECRET_TEXTS.reduce((rest, [pattern, by]) => rest.replace(pattern, by), storable(text));

/** Whether there is one, or none, may be told. */
function isSecretMember(name: string, item: Json): boolean {
  if (item === null || typeof item === "boolean") return false;
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").replace(/[-.\s]/g, "_");
  return SECRET_NAME.test(words.toLowerCase());
}

/** `jsonb` holds neither a zero character nor half of a pair of surrogates. */
const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\\u0000");
