import { escapeIdentifier as id, escapeLiteral as text } from "pg";
import { tableName } from "./ddl.ts";
import type { Session } from "./sessions.ts";

/**
 * What becomes of a column's values: nothing at all, a number of the same value that tells nothing of it, an address or a
 * name that nobody has, a constant, or what an expression of SQL says.
 */
type MaskRule = null | "hash" | "email" | "name" | { text: string } | { expression: string };

/** Rules by table (`person`, or `crm.person`) and column. */
export type MaskRules = Record<string, Record<string, MaskRule>>;

/** A column, as far as a rule depends on it. */
export interface Column {
  schema: string;
  table: string;
  column: string;
  /** As PostgreSQL names it: `character varying(80)`. */
  type: string;
  isText: boolean;
  isUuid: boolean;
  /** Characters that fit; null for as many as wanted. */
  length: number | null;
  isNullable: boolean;
  isGenerated: boolean;
}

const COLUMNS = `
  SELECT n.nspname AS schema, c.relname AS "table", a.attname AS "column", pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
         t.typcategory = 'S' AS "isText", t.typname = 'uuid' AS "isUuid",
         CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 WHEN t.typname = 'name' THEN 63 END AS length,
         NOT a.attnotnull AS "isNullable", a.attgenerated <> '' OR a.attidentity = 'a' AS "isGenerated"
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY 1, 2, a.attnum`;

/** Every column of a database's tables. */
export const listColumns = async (session: Session): Promise<Column[]> =>
  session.query<Column & Record<string, unknown>>(COLUMNS);

/** A rule with the column that it is about. */
export interface Mask {
  column: Column;
  rule: MaskRule;
}

/** A table as rules name it: without a schema it is one of `public`. */
const isNamed = (name: string, { schema, table }: Column): boolean =>
  name === `${schema}.${table}` || (schema === "public" && name === table);

/** The rules with their columns, and a sentence for each rule that cannot hold. */
export function matchRules(rules: MaskRules, columns: Column[]): { masks: Mask[]; faults: string[] } {
  const masks: Mask[] = [];
  const faults: string[] = [];
  for (const [table, byColumn] of Object.entries(rules)) {
    const own = columns.filter((each) => isNamed(table, each));
    if (own.length === 0) faults.push(`there is no table ${table}`);
    else
      for (const [name, rule] of Object.entries(byColumn)) {
        const column = own.find((each) => each.column === name);
        const fault = column ? misfit(column, rule) : `${table} has no column ${name}`;
        if (fault) faults.push(fault);
        else masks.push({ column: column!, rule });
      }
  }
  return { masks, faults };
}

/** Characters of the shortest made-up address. */
const SHORTEST_EMAIL = 28;

/** Why a rule cannot hold for a column. */
function misfit({ table, column, type, isText, isUuid, length, isNullable, isGenerated }: Column, rule: MaskRule) {
  const at = `${table}.${column}`;
  if (isGenerated) return `${at} is generated, and follows what it is generated from`;
  if (rule === null) return isNullable ? undefined : `${at} must not be null`;
  if (typeof rule === "object") return undefined;
  if (rule === "hash" && isUuid) return undefined;
  if (!isText) return `${at} is ${type}: ${rule} is for text${rule === "hash" ? " and uuid" : ""}`;
  if (rule === "email" && length !== null && length < SHORTEST_EMAIL) return `${at} is too short for an address`;
  return undefined;
}

const PERSONAL =
  /e-?mail|phone|mobile|(^|_)(first|last|full|user|nick|sur|maiden)?_?name$|address|street|post_?code|zip|birth|(^|_)(dob|ssn|iban|ip)(_|$)|card|token|passw|secret|api_?key/i;

/** Columns whose names look personal, and that no rule is about: `person.phone`. */
export function unmasked(columns: Column[], masks: Mask[]): string[] {
  const known = new Set(masks.map(({ column }) => column));
  return columns
    .filter((column) => PERSONAL.test(column.column.replace(/([a-z])([A-Z])/g, "$1_$2")) && !known.has(column))
    .map(({ schema, table, column }) => `${schema === "public" ? "" : `${schema}.`}${table}.${column}`);
}

/** One UPDATE for all masked columns of a table. The key of the hash is its first parameter, where `usesKey`. */
export function maskTable(masks: Mask[]): { statement: string; usesKey: boolean } {
  const table = masks[0]!.column;
  const settings = masks.map(({ column, rule }) => `${id(column.column)} = ${valueOf(column, rule)}`);
  const statement = `UPDATE ${tableName(table)} SET ${settings.join(", ")}`;
  return { statement, usesKey: masks.some(({ rule }) => typeof rule === "string") };
}

function valueOf({ column, type, isUuid, length }: Column, rule: MaskRule): string {
  if (rule === null) return "NULL";
  if (typeof rule === "object") return "text" in rule ? text(rule.text) : `(${rule.expression}\n)`;
  const digest = `pg_catalog.sha256(pg_catalog.convert_to($1::text || ${id(column)}::text, 'UTF8'))`;
  const hex = `pg_catalog.encode(${digest}, 'hex')`;
  const fitted = (value: string) => (length === null ? value : `pg_catalog.left(${value}, ${length})`);
  if (rule === "hash") return isUuid ? `pg_catalog.left(${hex}, 32)::uuid` : `${fitted(hex)}::${type}`;
  if (rule === "email") {
    const digits = Math.min(16, (length ?? 80) - "user-@example.invalid".length);
    return `'user-' || pg_catalog.left(${hex}, ${digits}) || '@example.invalid'`;
  }
  const pick = (names: string[], byte: number) =>
    `(ARRAY[${names.map(text).join(", ")}])[1 + pg_catalog.get_byte(${digest}, ${byte}) % ${names.length}]`;
  return fitted(`${pick(FIRST_NAMES, 0)} || ' ' || ${pick(LAST_NAMES, 1)}`);
}

const FIRST_NAMES =
  "Ada Bela Cora Dario Edda Fritz Greta Hugo Ines Jonas Karla Levi Mira Nils Olga Pavel Quinn Rosa Sven Tilda Ugo Vera Wim Yara".split(
    " ",
  );
const LAST_NAMES =
  "Adler Berg Crane Dietz Ebert Falk Grimm Hale Iversen Jansen Krug Lund Moss Nowak Orth Pohl Quast Roth Stein Thorn Unger Voss Winter Zorn".split(
    " ",
  );
