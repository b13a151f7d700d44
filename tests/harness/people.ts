import { waitUntil } from "../../src/core/clock.ts";
import { Api, type ApiAnswer } from "./api.ts";
import { TestHome } from "./home.ts";

/** A password that is good, and unlike any other text. */
export const passwordOf = (name: string): string => `Canary of ${name} 5Tq8Wz`;

/** The value of the session cookie that an answer sets; undefined where it sets none. */
export function cookieOf(answer: ApiAnswer): string | undefined {
  const all = answer.headers["set-cookie"] ?? [];
  return all.map((line) => /^(?:__Host-)?homelab_session=([^;]*)/.exec(line)?.[1]).find((value) => value);
}

/** A request as the browser of somebody who is signed in sends it. */
export const browser = (api: Api, token: string): Api => api.with({ cookie: `homelab_session=${token}` });

/** Waits until the hub has the platform's database: users and keys are there. */
export async function accountsReady(home: TestHome): Promise<void> {
  const pending = async () =>
    (await Api.socket(home).get("/api/platform/migrations")).json<{ pending?: string[] }>().pending?.length === 0;
  await waitUntil(() => pending().catch(() => false), { timeout: 30, what: "the hub has its database" });
}

/** A home that is up, with a hub that can make users and keys. */
export async function homeWithHub(env: Record<string, string> = {}): Promise<TestHome> {
  const home = await TestHome.empty();
  try {
    const up = await home.run(["up", ...home.upFlags()], { env });
    if (up.exitCode !== 0) throw new Error(up.stderr);
    await accountsReady(home);
  } catch (error) {
    await home.destroy();
    throw error;
  }
  return home;
}

/** The owner of the installation: by its own key. */
export const ownerOf = async (home: TestHome, from?: string): Promise<Api> =>
  Api.network(home, from).withKey(await home.secret("dashboard_api_key"));

/** Makes the first admin by a setup link, and answers his token. */
export async function makeAdmin(home: TestHome, name = "ada"): Promise<string> {
  const link = await Api.socket(home).post("/api/setup/link");
  const token = link.json<{ path: string }>().path.split("#")[1]!;
  const made = await Api.network(home).post("/api/setup", { token, user_name: name, password: passwordOf(name) });
  if (made.status !== 201) throw new Error(`setup: ${made.status} ${made.text}`);
  return cookieOf(made)!;
}

/** Signs a user in and answers his token. */
export async function signIn(api: Api, name: string, password = passwordOf(name)): Promise<string> {
  const answer = await api.post("/api/session", { user_name: name, password });
  if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.text}`);
  return cookieOf(answer)!;
}

/** Makes a key and answers its text. */
export async function makeKey(
  owner: Api,
  name: string,
  scopes: string[],
  expires_at: string | null = null,
): Promise<string> {
  const made = await owner.post("/api/keys", { name, scopes, expires_at });
  if (made.status !== 201) throw new Error(`${name}: ${made.status} ${made.text}`);
  return made.json<{ key: string }>().key;
}

/** One caller of each kind: what a key or a role allows. `none` did not say who he is. */
export async function everybody(home: TestHome): Promise<Record<string, Api>> {
  const [owner, open] = [await ownerOf(home), Api.network(home)];
  const all: Record<string, Api> = { none: open, admin: browser(open, await makeAdmin(home)) };
  for (const role of ["viewer", "operator"]) {
    await owner.post("/api/users", { name: role, role, password: passwordOf(role) });
    all[role] = browser(open, await signIn(open, role));
  }
  for (const scope of ["read", "provision", "operate", "admin"])
    all[`key ${scope}`] = open.withKey(await makeKey(owner, `key for ${scope}`, [scope]));
  return all;
}
