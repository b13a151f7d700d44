const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes for a person: decimal units, one digit below ten (`7.3 MB`, `1.2 GB`, `940 kB`). */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** Seconds for a person, in the two largest units (`4.2 s`, `3 min 5 s`, `2 d 4 h`). */
export function formatSeconds(seconds: number): string {
  if (seconds < 59.5) return seconds < 9.95 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
  const total = Math.round(seconds);
  const [d, h, min, s] = [
    Math.floor(total / 86400),
    Math.floor(total / 3600) % 24,
    Math.floor(total / 60) % 60,
    total % 60,
  ];
  const parts = [d && `${d} d`, h && `${h} h`, min && `${min} min`, s && `${s} s`].filter(Boolean);
  return parts.slice(0, 2).join(" ");
}

const DURATION_SECONDS: Record<string, number> = { ms: 0.001, s: 1, min: 60, m: 60, h: 3600, d: 86400 };

/** Reads a duration such as `500ms`, `30s`, `5min`, `1h`, `2d` (PostgreSQL's units, and `m`) as seconds; undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)$/.exec(text.trim());
  return match ? Number(match[1]) * DURATION_SECONDS[match[2]!]! : undefined;
}
