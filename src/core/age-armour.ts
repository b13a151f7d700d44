const BEGIN = "-----BEGIN AGE ENCRYPTED FILE-----";
const END = "-----END AGE ENCRYPTED FILE-----";
const COLUMNS = 64;

/** Bytes as printable lines (https://c2sp.org/age, "ASCII armor"): such a file can be pasted, mailed and printed. */
export function armoured(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(new RegExp(`.{1,${COLUMNS}}`, "g")) ?? [];
  return [BEGIN, ...lines, END, ""].join("\n");
}

export const isArmoured = (bytes: Buffer): boolean =>
  bytes.subarray(0, 200).toString("latin1").trimStart().startsWith(BEGIN);

/** The bytes of such lines, also when a mail program has changed their ends; undefined when they are not whole. */
export function bytesOfArmour(text: string): Buffer | undefined {
  const lines = text.trim().split(/\r?\n/);
  if (lines[0] !== BEGIN || lines.at(-1) !== END) return undefined;
  const body = lines.slice(1, -1);
  const isWhole = body.every((line, i) => line.length <= COLUMNS && (i === body.length - 1 || line.length === COLUMNS));
  const joined = body.join("");
  if (!isWhole || !/^[A-Za-z0-9+/]+={0,2}$/.test(joined) || joined.length % 4 !== 0) return undefined;
  return Buffer.from(joined, "base64");
}
