/** A browser as far as a login needs one: it follows redirects, keeps cookies, and fills in the login form. */
export class OidcBrowser {
  readonly #cookies = new Map<string, string>();

  /**
   * Opens a page and logs in as somebody wherever it is asked to, until it is sent to an address that begins with
   * `until`; answers that address without opening it.
   */
  async follow(url: string, login: string, until: string): Promise<string> {
    let response = await this.#open(url);
    for (let page = url, pages = 0; pages < 20; pages++) {
      const location = response.headers.get("location");
      const next = location && new URL(location, page).href;
      if (next?.startsWith(until)) return next;
      const body = await response.text();
      if (!next && !body.includes("<form")) throw new Error(`${page}: ${response.status} ${body.slice(0, 500)}`);
      if (next) page = next;
      response = next ? await this.#open(next) : await this.#open(page, new URLSearchParams({ login }));
    }
    throw new Error(`${url} never led to ${until}`);
  }

  async #open(url: string, form?: URLSearchParams): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const method = form ? "POST" : "GET";
    const response = await fetch(url, { method, body: form, headers: { cookie }, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value) this.#cookies.set(name, value);
      else this.#cookies.delete(name);
    }
    return response;
  }
}
