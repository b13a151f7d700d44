import { Client, type QueryResultRow } from "pg";
import { programIn } from "../../src/host/program.ts";
import { openInstalledSite } from "../../src/site/installation.ts";
import type { Site } from "../../src/site/site.ts";
import type { TestHome } from "./home.ts";

/** A session by its URL, as an app opens it. What breaks it is told to whoever asks next, and to nobody before. */
export async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** One question in a session of its own. */
export async function ask<R extends QueryResultRow = Record<string, unknown>>(
  url: string,
  text: string,
  values?: unknown[],
): Promise<R[]> {
  const client = await connect(url);
  try {
    return (await client.query<R>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** What a refused statement or login says: its SQLSTATE, or its message where there is none. */
export async function refusal(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "nothing was refused";
}

/** A session as the superuser over the socket: what only the owner of the home can open. */
export async function connectAsSuperuser(home: TestHome, database = "postgres"): Promise<Client> {
  const client = new Client({
    host: home.paths.run,
    port: home.port(5431),
    user: "postgres",
    password: await home.secret("superuser"),
    database,
    connectionTimeoutMillis: 10_000,
  });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** One question as the superuser. */
export async function askAsSuperuser<R extends QueryResultRow = Record<string, unknown>>(
  home: TestHome,
  text: string,
  database = "postgres",
): Promise<R[]> {
  const client = await connectAsSuperuser(home, database);
  try {
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

/** The installation of a home, opened in this process. Close it at the end. */
export const openSiteOf = async (home: TestHome): Promise<Site> =>
  openInstalledSite(home.root, await programIn(home.paths.app));
