import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { ask, askAsSuperuser } from "./clients.ts";
import type { TestHome } from "./home.ts";

/** A small shop with something of everything: what a dump has to carry, and what is personal. */
const CONTENT = `
  CREATE TABLE item (id serial PRIMARY KEY, name varchar(40) NOT NULL, price numeric, note text);
  INSERT INTO item (name, price, note) SELECT 'item ' || n, n * 1.5, md5(n::text) || md5((n + 1)::text) FROM generate_series(1, 12000) n;
  CREATE INDEX item_note ON item USING gin (note gin_trgm_ops);
  CREATE TABLE person (id int PRIMARY KEY, email varchar(60) UNIQUE NOT NULL, full_name text, phone text, token uuid DEFAULT gen_random_uuid(), city text);
  INSERT INTO person SELECT n, 'person' || n || '@real.example', 'Real Person ' || n, '+49 30 ' || n, gen_random_uuid(), 'Berlin' FROM generate_series(1, 500) n;
  UPDATE person SET phone = NULL WHERE id = 7;
  CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES person, buyer_email text);
  INSERT INTO orders SELECT n, n, 'person' || n || '@real.example' FROM generate_series(1, 500) n;
  CREATE TABLE history (person int, old_email text);
  CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO history VALUES (OLD.id, OLD.email); RETURN NEW; END $$;
  CREATE TRIGGER keep BEFORE UPDATE ON person FOR EACH ROW EXECUTE FUNCTION keep();
  CREATE VIEW cheap AS SELECT * FROM item WHERE price < 100;
  CREATE SCHEMA crm;
  CREATE TABLE crm.contact (id int, address text);
  INSERT INTO crm.contact VALUES (1, 'Real Street 1');
  CREATE MATERIALIZED VIEW addresses AS SELECT email FROM person;
  COMMENT ON TABLE item IS 'what is sold';
  SELECT lo_from_bytea(0, 'large');`;

/** What tells two copies of it apart. */
export const DIGEST = `
  SELECT (SELECT count(*)::int FROM item) AS items, (SELECT md5(string_agg(i::text, ',' ORDER BY id)) FROM item i) AS item,
         (SELECT md5(string_agg(p::text, ',' ORDER BY id)) FROM person p) AS person,
         (SELECT count(*)::int FROM cheap) AS cheap, (SELECT count(*)::int FROM addresses) AS addresses,
         (SELECT last_value::int FROM item_id_seq) AS sequence, obj_description('item'::regclass) AS comment,
         (SELECT count(*)::int FROM pg_largeobject_metadata) AS objects`;

/** The shop in a database of its own. */
export async function makeShop(home: TestHome): Promise<Awaited<ReturnType<TestHome["createDatabase"]>>> {
  const shop = await home.createDatabase("shop");
  await home.ok("db", "create", "shop", "--extension", "pg_trgm");
  await ask(shop.connection_url, CONTENT);
  return shop;
}

/** The direct URL of a database. */
export const urlOf = async (home: TestHome, name: string, ...flags: string[]): Promise<string> =>
  (await home.ok("db", "url", name, "--direct", ...flags)).stdout.trim();

/** Whether there is a database of this name; a plain one, since it is put into a statement. */
export const databaseIsThere = async (home: TestHome, name: string): Promise<boolean> =>
  (await askAsSuperuser(home, `SELECT 1 FROM pg_database WHERE datname = '${name}'`)).length > 0;

/** What was sent and is not worked on yet. */
export const uploads = (home: TestHome): string[] => {
  const at = join(home.paths.dumps, "uploads");
  return existsSync(at) ? readdirSync(at) : [];
};

/** Nothing that a load needs for a while is left: no role, no password, no upload. */
export async function leavesNothing(home: TestHome): Promise<void> {
  const roles = await askAsSuperuser(home, "SELECT rolname FROM pg_roles WHERE rolname LIKE '%\\_load'");
  expect(roles).toEqual([]);
  expect([...readdirSync(home.paths.scratch), ...uploads(home)]).toEqual([]);
  expect(readdirSync(home.paths.run).filter((name) => /^(dump|load)-/.test(name))).toEqual([]);
}
