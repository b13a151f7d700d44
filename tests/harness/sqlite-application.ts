import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

type Cell = string | number | null;

/** A table of an application that was made for SQLite, as PostgreSQL would have it. */
export interface SqliteTable {
  name: string;
  columns: { name: string; type: string }[];
  rows: Cell[][];
  create: string;
  foreignKeys: string[];
  /** A hash of rows in any order; numbers count by their value, so that 0.9 and 0.90 are the same. */
  digest(rows: Cell[][]): string;
}

/** The types that SQLite's applications write, and what they mean. */
function typeOf(declared: string): string {
  const type = declared.toLowerCase();
  if (type.startsWith("int")) return "integer";
  if (/^(numeric|decimal)/.test(type)) return type;
  if (/^(real|float|double)/.test(type)) return "double precision";
  if (/^(datetime|timestamp)/.test(type)) return "timestamp";
  const length = /char\s*\((\d+)\)/.exec(type)?.[1];
  return length ? `varchar(${length})` : "text";
}

/** Reads an application's tables with their rows, keys and foreign keys. */
export function readSqlite(path: string): SqliteTable[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const names = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
      .all() as { name: string }[];
    return names.map(({ name }) => readTable(database, name));
  } finally {
    database.close();
  }
}

function readTable(database: DatabaseSync, name: string): SqliteTable {
  const info = database.prepare(`PRAGMA table_info("${name}")`).all() as {
    name: string;
    type: string;
    notnull: number;
    pk: number;
  }[];
  const keys = database.prepare(`PRAGMA foreign_key_list("${name}")`).all() as {
    from: string;
    to: string | null;
    table: string;
  }[];
  const columns = info.map((column) => ({ name: column.name, type: typeOf(column.type) }));
  const primary = info.filter((column) => column.pk > 0).sort((a, b) => a.pk - b.pk);
  const lines = columns.map((column, i) => `"${column.name}" ${column.type}${info[i]!.notnull ? " NOT NULL" : ""}`);
  if (primary.length > 0) lines.push(`PRIMARY KEY (${primary.map((column) => `"${column.name}"`).join(", ")})`);
  const rows = database.prepare(`SELECT * FROM "${name}"`).all() as Record<string, Cell>[];
  return {
    name,
    columns,
    rows: rows.map((row) => columns.map((column) => row[column.name]!)),
    create: `CREATE TABLE "${name}" (${lines.join(", ")});`,
    foreignKeys: keys.map(
      (key) =>
        `ALTER TABLE "${name}" ADD FOREIGN KEY ("${key.from}") REFERENCES "${key.table}" ("${key.to ?? key.from}");`,
    ),
    digest: (cells) => digest(columns, cells),
  };
}

function digest(columns: SqliteTable["columns"], rows: Cell[][]): string {
  const isNumber = columns.map(({ type }) => /^(integer|numeric|decimal|double)/.test(type));
  const plain = rows.map((row) =>
    JSON.stringify(row.map((cell, i) => (cell === null ? null : isNumber[i] ? Number(cell) : String(cell)))),
  );
  return createHash("sha256").update(plain.toSorted().join("\n")).digest("hex");
}
