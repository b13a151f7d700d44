import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SingleSignOn, type SsoLogin } from "../../src/accounts/sso.ts";
import { loadConfig } from "../../src/config/load.ts";
import { sso, type SsoSettings } from "../../src/config/sso.ts";
import type { HomelabError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { checkout } from "../harness/home.ts";
import { OidcBrowser } from "../harness/oidc-browser.ts";
import { DENIED, TestProvider } from "../harness/oidc-provider.ts";

const CALLBACK = "https://hub.home.arpa/api/session/sso/callback";
const SECRET = "not/so+secret: 100 %";

const accounts = {
  "0001": { preferred_username: "ada", name: "Ada", email: "ada@home.arpa", groups: ["family", "homelab-admins"] },
  "0002": { preferred_username: "otto", groups: "homelab-operators" },
  "0003": { preferred_username: "nora", groups: ["family"] },
};

const redirect_uris = [CALLBACK];
const clients = [
  { client_id: "home-lab", client_secret: SECRET, redirect_uris },
  { client_id: "public", token_endpoint_auth_method: "none" as const, redirect_uris },
];

let provider: TestProvider;
let now = Date.now();
const clock = { now: () => now };
const key = new Secret("the installation's own key");

beforeAll(async () => {
  provider = await TestProvider.start({ clients, accounts });
});
afterAll(() => provider.goAway());
afterEach(() => {
  provider.forgeClaims = undefined;
  provider.forgeKey = false;
});

const settingsWith = (changed: Partial<SsoSettings> = {}): SsoSettings =>
  sso.parse({
    issuer: provider.issuer,
    client_id: "home-lab",
    client_secret: SECRET,
    scopes: ["openid", "profile", "email", "groups"],
    roles: { admin: ["homelab-admins"], operator: ["homelab-operators"] },
    ...changed,
  });

const signOn = (changed?: Partial<SsoSettings>, sealedBy = key): SingleSignOn =>
  new SingleSignOn({ settings: settingsWith(changed), key: sealedBy, clock });

/** Both halves of a login, with the browser at the provider between them. */
async function logIn(hub: SingleSignOn, account: string, returnTo = "/"): Promise<SsoLogin> {
  const { url, state } = await hub.begin(CALLBACK, returnTo);
  return hub.finish(await new OidcBrowser().follow(url, account, CALLBACK), state);
}

const refusal = (login: Promise<unknown>): Promise<HomelabError> =>
  login.then(
    () => {
      throw new Error("it was let through");
    },
    (error: unknown) => error as HomelabError,
  );

describe("a login through the provider", () => {
  test("makes an admin of a member of the admins' group", async () => {
    expect(await logIn(signOn(), "0001", "/databases?sort=size")).toEqual({
      issuer: provider.issuer,
      subject: "0001",
      username: "ada",
      displayName: "Ada",
      email: "ada@home.arpa",
      role: "admin",
      returnTo: "/databases?sort=size",
    });
  });

  test("makes an operator of one whose claim is a word instead of a list", async () => {
    expect(await logIn(signOn(), "0002")).toMatchObject({ username: "otto", role: "operator", email: null });
  });

  test("lets nobody in for having an account alone", async () => {
    const error = await refusal(logIn(signOn(), "0003"));
    expect(error).toMatchObject({ code: "sso_refused", message: expect.stringContaining("claim groups") });
    expect(error.message + error.hint).not.toContain("family");
  });

  test("unless the settings say so", async () => {
    expect(await logIn(signOn({ default_role: "viewer" }), "0003")).toMatchObject({ username: "nora", role: "viewer" });
  });

  test("says so when the provider does not hand the claim out", async () => {
    const error = await refusal(logIn(signOn({ scopes: ["openid", "profile"] }), "0001"));
    expect(error).toMatchObject({ code: "sso_refused", message: expect.stringContaining("claim groups is not there") });
  });

  test("works as a public client, by PKCE alone", async () => {
    expect(await logIn(signOn({ client_id: "public", client_secret: undefined }), "0001")).toMatchObject({
      role: "admin",
    });
  });

  test("works with a provider that takes our password in the body only", async () => {
    const method = "client_secret_post";
    const strict = await TestProvider.start({
      clients: [{ ...clients[0]!, token_endpoint_auth_method: method }],
      accounts,
      clientAuthMethods: [method],
    });
    try {
      expect(await logIn(signOn({ issuer: strict.issuer }), "0001")).toMatchObject({ role: "admin" });
    } finally {
      await strict.goAway();
    }
  });

  test("begun at one hub can be finished at another", async () => {
    const { url, state } = await signOn().begin(CALLBACK, "/");
    const back = await new OidcBrowser().follow(url, "0001", CALLBACK);
    expect(await signOn().finish(back, state)).toMatchObject({ username: "ada" });
  });

  test("goes by the callback's query alone, whatever host the request named", async () => {
    const hub = signOn();
    const { url, state } = await hub.begin(CALLBACK, "/");
    const { search } = new URL(await new OidcBrowser().follow(url, "0001", CALLBACK));
    expect(await hub.finish(`/api/session/sso/callback${search}`, state)).toMatchObject({ username: "ada" });
  });

  test("asks for a code with PKCE, state and nonce", async () => {
    const asked = new URL((await signOn().begin(CALLBACK, "/")).url).searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: "code",
      redirect_uri: CALLBACK,
      scope: "openid profile email groups",
      code_challenge_method: "S256",
    });
    for (const name of ["state", "nonce", "code_challenge"]) expect(asked.get(name)).toHaveLength(43);
  });

  test("leads back to no other site", async () => {
    const elsewhere = "//evil.example";
    expect(await logIn(signOn(), "0001", elsewhere)).toMatchObject({ returnTo: "/" });
  });
});

describe("a login is refused", () => {
  let hub: SingleSignOn;
  beforeAll(() => {
    hub = signOn();
  });

  /** The browser comes back from the provider after `change` has been at the address that it was sent to. */
  async function comeBack(change: (url: URL) => void = () => undefined) {
    const { url, state } = await hub.begin(CALLBACK, "/");
    const changed = new URL(url);
    change(changed);
    return { back: await new OidcBrowser().follow(changed.href, "0001", CALLBACK), state };
  }

  test("with another nonce in its token", async () => {
    const { back, state } = await comeBack((url) => url.searchParams.set("nonce", "another"));
    const error = await refusal(hub.finish(back, state));
    expect(error).toMatchObject({ code: "sso_failed", message: expect.stringContaining('"nonce"') });
  });

  test("with the code of somebody else's login", async () => {
    const [mine, theirs] = [await comeBack(), await comeBack()];
    const mixed = new URL(mine.back);
    mixed.searchParams.set("code", new URL(theirs.back).searchParams.get("code")!);
    expect(await refusal(hub.finish(mixed.href, mine.state))).toMatchObject({ code: "sso_failed" });
  });

  test("when its state is replayed, also at another hub", async () => {
    const { back, state } = await comeBack();
    await hub.finish(back, state);
    const again = await refusal(hub.finish(back, state));
    expect(again).toMatchObject({ code: "sso_failed", message: expect.stringContaining("finished before") });
    expect(await refusal(signOn().finish(back, state))).toMatchObject({ code: "sso_failed" });
  });

  test("after 10 minutes", async () => {
    const { back, state } = await comeBack();
    now += 10 * 60_000;
    const error = await refusal(hub.finish(back, state));
    expect(error).toMatchObject({ code: "sso_failed", message: expect.stringContaining("10 minutes") });
  });

  test("when its state was tampered with, or sealed by another installation or for another client", async () => {
    const { back, state } = await comeBack();
    const tampered = `${state[0] === "A" ? "B" : "A"}${state.slice(1)}`;
    const others = [signOn({}, new Secret("another key")), signOn({ client_id: "public" })];
    const attempts = [
      hub.finish(back, tampered),
      hub.finish(back, state.slice(0, -4)),
      hub.finish(back, ""),
      ...others.map((other) => other.finish(back, state)),
    ];
    for (const attempt of attempts)
      expect(await refusal(attempt)).toMatchObject({ code: "sso_failed", message: "this login was not begun here" });
    // None of them has spent the login.
    expect(await hub.finish(back, state)).toMatchObject({ username: "ada" });
  });

  test("when the browser's cookie is of another login than the provider's answer", async () => {
    const [mine, theirs] = [await comeBack(), await comeBack()];
    const error = await refusal(hub.finish(theirs.back, mine.state));
    expect(error).toMatchObject({ code: "sso_failed", message: expect.stringContaining("another login") });
    expect(await hub.finish(mine.back, mine.state)).toMatchObject({ username: "ada" });
  });

  test.each([
    ["for another audience", "aud", "another-client"],
    ["of another issuer", "iss", "https://evil.example"],
    ["that has expired", "exp", 1_700_000_000],
    ["for several audiences without us", "aud", ["one", "two"]],
  ])("with an id_token %s", async (_what, claim, value) => {
    const { back, state } = await comeBack();
    provider.forgeClaims = (claims) => ({ ...claims, [claim]: value });
    const error = await refusal(hub.finish(back, state));
    expect(error).toMatchObject({ code: "sso_failed", message: expect.stringContaining(`"${claim}"`) });
    expect(error.message + error.hint).not.toContain(String(value));
    expect(error.cause).toBeUndefined();
  });

  test("with an id_token that another key has signed", async () => {
    const { back, state } = await comeBack();
    provider.forgeKey = true;
    const error = await refusal(hub.finish(back, state));
    expect(error.message).toContain("signature");
  });

  test("when the userinfo endpoint speaks of somebody else", async () => {
    const { back, state } = await comeBack();
    provider.forgeClaims = (claims) => ({ ...claims, sub: "0002" });
    expect(await refusal(hub.finish(back, state))).toMatchObject({ code: "sso_failed" });
  });

  test("when the provider denies it", async () => {
    const error = await refusal(logIn(hub, DENIED));
    expect(error).toMatchObject({ code: "sso_refused", message: expect.stringContaining("access_denied") });
  });

  test("with the wrong password of ours", async () => {
    const error = await refusal(logIn(signOn({ client_secret: "guessed" }), "0001"));
    expect(error).toMatchObject({ code: "sso_unavailable", hint: expect.stringContaining("sso.client_secret") });
    expect(error.message + error.hint).not.toContain("guessed");
  });
});

describe("the provider", () => {
  test("may change its keys at any time", async () => {
    const hub = signOn();
    await logIn(hub, "0001");
    provider.rotateKeys();
    expect(await logIn(hub, "0001")).toMatchObject({ username: "ada" });
  });

  test("is asked once for what it says of itself", async () => {
    const hub = signOn();
    const asked = () => provider.asked.get("/.well-known/openid-configuration") ?? 0;
    const before = asked();
    await Promise.all([hub.begin(CALLBACK, "/"), hub.begin(CALLBACK, "/")]);
    await hub.begin(CALLBACK, "/");
    expect(asked() - before).toBe(1);
  });

  test("may be away when a login begins, and is asked again when it is back", async () => {
    const hub = signOn();
    await provider.goAway();
    const error = await refusal(hub.begin(CALLBACK, "/"));
    expect(error).toMatchObject({ code: "sso_unavailable", message: expect.stringContaining(provider.issuer) });
    expect(error.hint).toContain("Local accounts can log in");
    await provider.comeBack();
    // It is left alone for a second.
    expect(await refusal(hub.begin(CALLBACK, "/"))).toMatchObject({ code: "sso_unavailable" });
    now += 1000;
    expect(await logIn(hub, "0001")).toMatchObject({ username: "ada" });
  });

  test("may go away while somebody logs in", async () => {
    const hub = signOn();
    const { url, state } = await hub.begin(CALLBACK, "/");
    const back = await new OidcBrowser().follow(url, "0001", CALLBACK);
    await provider.goAway();
    expect(await refusal(hub.finish(back, state))).toMatchObject({ code: "sso_unavailable" });
    await provider.comeBack();
    expect(await logIn(signOn(), "0001")).toMatchObject({ username: "ada" });
  });
});

describe("the guide", () => {
  test("shows settings that hold", async () => {
    const page = await readFile(join(checkout, "docs/guide/single-sign-on.md"), "utf8");
    const blocks = [...page.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => text!);
    expect(blocks.length).toBeGreaterThan(0);
    for (const text of blocks) {
      const files = [{ path: "homelab.yaml", text }];
      const { settings } = loadConfig({ files, env: {}, flags: {}, readFile: () => "secret" });
      expect(settings.sso).toBeDefined();
    }
  });
});
