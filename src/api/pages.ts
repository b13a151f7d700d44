/*
 * The two pages that a browser needs before anybody is signed in. They have no script and no style of their own inside:
 * the policy for content refuses those (faults S21). Every address is relative, so that a path prefix changes nothing.
 */

const page = (title: string, body: string): string => `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>${title} · HomeLabHub</title>
<link rel="stylesheet" href="door.css"><script src="door.js" defer></script></head><body><main>
<h1>${title}</h1>${body}<p id="says" role="alert"></p></main></body></html>`;

const passwordField = (autocomplete: string): string =>
  `<label>Password <input name="password" type="password" autocomplete="${autocomplete}" required></label>`;

const userField = `<label>User name <input name="user_name" autocomplete="username" autocapitalize="none" required></label>`;

export const setupPage = page(
  "Make the first admin",
  `<form data-to="api/setup" data-token="fragment">${userField}${passwordField("new-password")}
<p>At least 8 characters; 15 are better.</p><button>Create</button></form>`,
);

export const loginPage = page(
  "Sign in",
  `<form data-to="api/session">${userField}${passwordField("current-password")}<button>Sign in</button></form>
<p id="sso" hidden><a href="api/session/sso">Single sign-on</a></p>`,
);

/** The one script of both pages: it sends the form as JSON, and shows what comes back as text. */
export const doorScript = `"use strict";
const form = document.querySelector("form");
const says = document.getElementById("says");
const sso = document.getElementById("sso");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = Object.fromEntries(new FormData(form));
  if (form.dataset.token) body.token = location.hash.slice(1);
  try {
    const answer = await fetch(form.dataset.to, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.ok) return location.replace("api/docs");
    const problem = await answer.json();
    says.textContent = [problem.detail, problem.hint].filter(Boolean).join(". ");
  } catch {
    says.textContent = "The hub does not answer.";
  }
});
if (sso)
  fetch("api/setup").then((answer) => answer.json()).then((setup) => {
    if (!setup.sso) return;
    sso.querySelector("a").textContent = setup.sso.name;
    sso.hidden = false;
  }, () => {});
`;

export const doorStyle = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { display: grid; place-items: center; min-height: 100vh; margin: 0; }
main { width: min(22rem, calc(100vw - 2rem)); }
h1 { font-size: 1.4rem; }
form { display: grid; gap: 1rem; }
label { display: grid; gap: .25rem; }
input, button { font: inherit; padding: .6rem .7rem; border-radius: 6px; border: 1px solid color-mix(in srgb, currentColor 35%, transparent); }
button { cursor: pointer; font-weight: 600; }
#says { color: light-dark(#b00020, #ff8a80); min-height: 1.5em; }
`;
