/*
 * Names that no database of ours may have (faults F92): to PostgreSQL, the pooler, a shell, a path, a page or a reader each
 * of them means something else.
 */

const reserved = ["postgres", "template0", "template1", "pgbouncer", "none", "public", "all", "replication", "user"];
const identities = ["session_user", "current_user", "current_role", "pg_monitor", "pg_toast"];
const shapes = ["Shop", "SHOP", "1shop", "_shop", "-shop", "shop-1", "shop.db", "shop shop", " shop", "shop ", ""];
const quotes = [`sh"op`, "sh'op", "sh`op", "sh\\op", `"; DROP DATABASE postgres; --`, "x' OR '1'='1", "$$shop$$"];
const controls = [
  "shop\nblog",
  "shop\rblog",
  "shop\tblog",
  "\u001b[31mshop",
  "shop\u202egolb",
  "shop\u00a0",
  "\ufeffshop",
];
const shells = [
  "$(reboot)",
  "`reboot`",
  "shop;reboot",
  "shop|cat",
  "shop&",
  "shop>x",
  "*",
  "~root",
  "!!",
  "%s%n",
  "#shop",
];
const paths = ["../../etc/passwd", "/etc/passwd", "shop/../x", "..", ".", "%2e%2e%2f", "C:\\shop"];
const files = [
  "=host=evil port=1",
  "shop = host=evil",
  "[pgbouncer]",
  ";shop",
  "%include /etc/passwd",
  "shop,blog",
  "host=x",
];
const scripts = ["<script>alert(1)</script>", "{{7*7}}", "${HOME}", "a&b", "shop?x=1", "shop#x", "shop:x@host"];
const letters = ["shоp", "ｓｈｏｐ", "shöp", "商店", "shop🛒", "ſhop", "ﬁsh", "shop\u0301", "İstanbul"];
const lengths = ["a".repeat(64), "a".repeat(70), "a".repeat(200), "a".repeat(5000), `deleted-20260101000000-abcdef01`];

/** All of them. */
export const hostileNames = [
  reserved,
  identities,
  shapes,
  quotes,
  controls,
  shells,
  paths,
  files,
  scripts,
  letters,
  lengths,
].flat();
