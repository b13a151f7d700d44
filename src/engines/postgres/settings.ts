import type { Parameters } from "../../cluster/sizing.ts";
import type { Session } from "./sessions.ts";

interface SettingRow {
  name: string;
  setting: string;
  unit: string | null;
  vartype: string;
}

const FACTOR: Record<string, number> = {
  B: 1,
  kB: 1024,
  "8kB": 8192,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A value in PostgreSQL's base unit (bytes or milliseconds), so that 1GB equals 1024MB; other values as they are. */
export function normaliseSetting(value: string, unit: string | null, vartype: string): string {
  if (vartype === "bool") return /^(on|t(r(ue?)?)?|y(es?)?|1)$/i.test(value) ? "on" : "off";
  if (vartype === "enum") return value.toLowerCase();
  const match = /^(-?\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(value.trim());
  if (!match || vartype === "string") return value;
  return String(Number(match[1]) * (FACTOR[match[2] || unit || ""] ?? 1));
}

/** The settings that PostgreSQL takes only at its start, and that differ from what is wanted. */
export async function settingsWaitingForRestart(session: Session, wanted: Parameters): Promise<string[]> {
  const rows = await session.query<SettingRow & Record<string, unknown>>(
    "SELECT name, setting, unit, vartype FROM pg_catalog.pg_settings WHERE context = 'postmaster' AND name = ANY($1)",
    [Object.keys(wanted)],
  );
  const differs = ({ name, setting, unit, vartype }: SettingRow) =>
    normaliseSetting(setting, unit, vartype) !== normaliseSetting(String(wanted[name]), unit, vartype);
  return rows.filter(differs).map((row) => row.name);
}
