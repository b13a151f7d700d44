import { isIPv4, isIPv6 } from "node:net";

/**
 * What counts as one caller: an IPv4 address, or an IPv6 network of 64 bits, which one household or one server has for
 * itself and could change addresses within. Inside the own network (link-local, RFC 4193) each address counts, and an
 * IPv4 address inside an IPv6 one is that IPv4 address.
 */
export function callerOf(address: string): string {
  const plain = address.replace(/%.*$/, "").toLowerCase();
  const mapped = /^(?:::ffff:|::)(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  if (mapped && isIPv4(mapped)) return mapped;
  if (!isIPv6(plain) || /^f(e[89ab]|[cd][0-9a-f])[0-9a-f]:/.test(plain)) return plain;
  const [head, tail] = plain.split("::") as [string, string?];
  const groups = (text: string | undefined) => (text ? text.split(":") : []);
  const missing = tail === undefined ? 0 : 8 - groups(head).length - groupCount(groups(tail));
  const all = [...groups(head), ...Array.from({ length: missing }, () => "0"), ...groups(tail)];
  const network = all.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}

/** An IPv4 address at the end takes the place of two groups. */
const groupCount = (groups: string[]): number => groups.length + (groups.at(-1)?.includes(".") ? 1 : 0);
