import type { Json } from "./json.ts";

export type LogLevel = "info" | "warn" | "error";

/** One event as one line of JSON: whatever is in a text, it stays on its line. */
export function logLine(
  level: LogLevel,
  service: string,
  message: string,
  facts: { [key: string]: Json } = {},
): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, service, message, ...facts })}\n`;
}
