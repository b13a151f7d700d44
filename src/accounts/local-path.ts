/** Where a browser goes after a login: a page of ours, or the first one; `//host`, `/\host` and the like lead elsewhere. */
export function localPath(asked: string): string {
  if (!/^\/[\x21-\x5b\x5d-\x7e]{0,500}$/.test(asked)) return "/";
  const base = "http://localhost";
  const url = URL.parse(asked, base);
  // `/.//host` is a path until somebody takes it apart.
  if (url?.origin !== base || url.pathname.startsWith("//")) return "/";
  return `${url.pathname}${url.search}${url.hash}`;
}
