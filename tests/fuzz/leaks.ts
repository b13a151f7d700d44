import { checkout } from "../harness/home.ts";
import type { Exchange, RuleContext } from "./rules.ts";

/** What only our own inside says: frames of a stack, PostgreSQL's and SQLite's sentences, what JavaScript makes of nothing. */
const INSIDES: [what: string, form: RegExp][] = [
  ["a stack", /\n\s+at .+:\d+:\d+|\bat [\w.<>]+ \((file:|node:|\/)[^)]*:\d+\)/],
  ["a source file", /\b(dist\/\w+\.js|src\/\w+\/[\w-]+\.ts|node_modules)\b/],
  [
    "an error of PostgreSQL",
    /syntax error at or near|violates .{1,40} constraint|duplicate key value|invalid input syntax|invalid byte sequence|relation ".*" does not exist|column ".*" does not exist|SQLSTATE|out of range for type/i,
  ],
  ["an error of SQLite", /SQLITE_[A-Z]+|no such (table|column)/],
  [
    "a statement",
    /\b(select "?\w.{0,200} from|insert into "|delete from "|update "\w+" set|SELECT .{1,200} FROM|INSERT INTO|(CREATE|ALTER|DROP) (ROLE|USER|DATABASE|TABLE))\b/,
  ],
  ["a system's error", /\bE(NOENT|ACCES|CONNREFUSED|ADDRINUSE|PERM|ISDIR|MFILE)\b/],
  ["an object as text", /\[object \w+\]/],
];

/** Logs are the engines' own words, and a dump is PostgreSQL's. */
const MAY_SAY_ANYTHING = /^GET \/api\/(logs\/|databases\/\{name\}\/export$)/;

/** What an answer tells that is nobody's business. */
export function leakIn({ route, request, answer }: Exchange, { secrets, root }: RuleContext): string | undefined {
  const told = `${answer.text}\n${JSON.stringify(answer.headers)}`;
  const secret = secrets.find((each) => told.includes(each));
  if (secret) return `a secret: ${secret.slice(0, 6)}…`;
  // Whoever may look at the node knows its home: from its status, a plan, a certificate's file in a URL. A refusal tells nobody.
  const isTold = answer.status < 400 && route.scope !== null;
  const path = [...(isTold ? [] : [root]), checkout].find((each) => told.includes(each));
  if (path) return `a path of the machine: ${around(told, told.indexOf(path))}`;
  if (MAY_SAY_ANYTHING.test(route.key)) return undefined;
  // What came in with the request may come back with the answer.
  const asked = `${decoded(request.target)}\n${request.body?.toString() ?? ""}\n${JSON.stringify(request.headers)}`;
  for (const [what, form] of INSIDES) {
    const found = form.exec(told);
    if (found && !asked.includes(found[0])) return `${what}: ${around(told, found.index)}`;
  }
  return undefined;
}

const around = (text: string, index: number): string => text.slice(Math.max(0, index - 60), index + 100);

function decoded(target: string): string {
  try {
    return decodeURIComponent(target);
  } catch {
    return target;
  }
}
