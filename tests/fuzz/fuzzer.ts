import fc from "fast-check";
import type { Callers } from "./callers.ts";
import { routesOf, type FuzzRoute, type OpenApi } from "./document.ts";
import { drafts, type Draft } from "./drafts.ts";
import { PASSWORD, WARDEN } from "./hints.ts";
import { KnownThings } from "./known.ts";
import { RULES, type Exchange, type RuleContext } from "./rules.ts";
import { Sender, type WireAnswer } from "./send.ts";
import { SchemaValues, type Sketch } from "./values.ts";
import { prepare, type Prepared } from "./wire.ts";

/** A rule that did not hold, with the smallest request that showed it. */
export interface FuzzFailure {
  route: string;
  rule: string;
  says: string;
  request: string;
  answer: string;
  /** What makes fast-check begin there again. */
  seed: number;
  path: string;
}

/** What a fuzzer works with. */
export interface FuzzerOptions {
  document: OpenApi;
  port: number;
  callers: Callers;
  rules: Omit<RuleContext, "schemas"> & Pick<RuleContext, "schemas">;
  /** Operations that may be begun for real. */
  operations: number;
}

/** One call of a test's own, outside of what comes at random. */
export interface Call {
  path?: Record<string, string>;
  query?: Record<string, string>;
  json?: Sketch;
  caller?: Draft["caller"];
  variant?: number;
}

/** Sends requests to every route of a hub, and holds each answer against the rules. */
export class Fuzzer {
  readonly routes: FuzzRoute[];
  readonly values: SchemaValues;
  readonly known = new KnownThings();
  readonly failures: FuzzFailure[] = [];
  /** By route, then by status: how many answers. */
  readonly counts = new Map<string, Map<number, number>>();
  /** Routes that a request made to the document reached, and that did what it asked. */
  readonly covered = new Set<string>();
  /** The longest that an answer took, by route. */
  readonly slowest = new Map<string, number>();
  sent = 0;
  readonly #options: FuzzerOptions;
  readonly #sender: Sender;
  #operations: number;
  #signingIn: Promise<void> | undefined;

  constructor(options: FuzzerOptions) {
    this.#options = options;
    this.#operations = options.operations;
    this.#sender = new Sender(options.port);
    this.routes = routesOf(options.document);
    this.values = new SchemaValues(options.document);
    this.known.add("password", PASSWORD);
    this.known.guard(WARDEN);
  }

  /** Sends drafts for a route until one of the rules does not hold; then the smallest such draft is looked for. */
  async fuzz(route: FuzzRoute, runs: number, seed: number): Promise<void> {
    let last: Omit<FuzzFailure, "seed" | "path"> | undefined;
    const property = fc.asyncProperty(drafts(route, this.values), async (draft) => {
      const broken = (await this.exchange(route, draft)).broken.find(({ rule }) => !this.#isReported(route, rule));
      if (!broken) return;
      last = { route: route.key, ...broken };
      throw new Error(broken.rule);
    });
    const { failed, counterexamplePath } = await fc.check(property, {
      numRuns: runs,
      seed,
      interruptAfterTimeLimit: 60_000,
    });
    if (failed && last) this.failures.push({ ...last, seed, path: counterexamplePath ?? "" });
  }

  /** Sends one draft; answers what came back, and which rules it broke. */
  async exchange(
    route: FuzzRoute,
    draft: Draft,
  ): Promise<{ answer: WireAnswer | undefined; broken: Omit<FuzzFailure, "route" | "seed" | "path">[] }> {
    if (draft.caller === "browser" && this.#options.callers.session === "") await this.#signIn();
    const request = prepare(draft, route, {
      known: this.known,
      callers: this.#options.callers,
      mayOperate: () => this.#operations-- > 0,
    });
    const described = describeRequest(request);
    let answer: WireAnswer;
    try {
      answer = await this.#send(route, request);
    } catch (error) {
      // A body that is refused for its size may be cut off while it still comes in.
      if ((request.body?.length ?? 0) > 256 * 1024) return { answer: undefined, broken: [] };
      return {
        answer: undefined,
        broken: [{ rule: "every request is answered", says: String(error), request: described, answer: "" }],
      };
    }
    const exchange = { route, draft, request, answer };
    const broken = brokenBy(exchange, this.#options.rules);
    this.#note(exchange);
    const again =
      draft.again && draft.caller !== "browser" && answer.status < 300 ? await this.#again(exchange) : undefined;
    const all = again ? [...broken, { rule: "what is sent again is answered again", says: again }] : broken;
    return { answer, broken: all.map((each) => ({ ...each, request: described, answer: describeAnswer(answer) })) };
  }

  /** One request that is meant to succeed. @throws where it does not */
  async call(
    key: string,
    { path = {}, query = {}, json, caller = "admin", variant = 1 }: Call = {},
  ): Promise<{ body: Record<string, unknown>; answer: WireAnswer }> {
    const route = this.routes.find((each) => each.key === key)!;
    const { answer, broken } = await this.exchange(route, {
      ...{ isValid: true, caller, variant, method: route.method, slash: false, tail: "", headers: {}, again: false },
      path: Object.fromEntries(Object.entries(path).map(([name, value]) => [name, { value }])),
      query: Object.entries(query),
      body: json === undefined ? undefined : { json },
    });
    for (const each of broken)
      if (!this.#isReported(route, each.rule)) this.failures.push({ route: key, ...each, seed: 0, path: "" });
    if (!answer || answer.status >= 400)
      throw new Error(`${key} with ${JSON.stringify({ path, query, json })}: ${answer?.status} ${answer?.text}`);
    return { answer, body: answer.text.startsWith("{") ? (JSON.parse(answer.text) as Record<string, unknown>) : {} };
  }

  close(): void {
    this.#sender.close();
  }

  async #send(route: FuzzRoute, request: Prepared): Promise<WireAnswer> {
    this.sent += 1;
    const answer = await this.#sender.send(request);
    const counts = this.counts.get(route.key) ?? new Map<number, number>();
    this.counts.set(route.key, counts.set(answer.status, (counts.get(answer.status) ?? 0) + 1));
    this.slowest.set(route.key, Math.max(this.slowest.get(route.key) ?? 0, answer.ms));
    return answer;
  }

  #note({ route, draft, request, answer }: Exchange): void {
    const { callers } = this.#options;
    if (
      draft.caller === "browser" &&
      (answer.status === 401 || route.key === "DELETE /api/session" || answer.headers["set-cookie"])
    )
      callers.session = "";
    if (answer.status >= 400 || draft.method !== route.method) return;
    if (draft.isValid) this.covered.add(route.key);
    if (route.key === "POST /api/session/password")
      this.known.add("password", (request.json!.value as { next: string }).next);
    if (String(answer.headers["content-type"]).startsWith("application/json"))
      this.known.learn(route.key, JSON.parse(answer.text));
  }

  /** The same request under the same key: the answer is the first one's, and nothing happens twice. */
  async #again({ route, request, answer }: Exchange): Promise<string | undefined> {
    const second = await this.#send(route, request);
    if (second.status === answer.status && second.text === answer.text) return undefined;
    return `${answer.status} ${answer.text.slice(0, 200)} and then ${second.status} ${second.text.slice(0, 200)}`;
  }

  #signIn(): Promise<void> {
    return (this.#signingIn ??= (async () => {
      try {
        const json = { user_name: WARDEN, password: this.known.resolve("password", 0) };
        const variant = 1 + Math.floor(this.sent % 60_000);
        const { answer } = await this.call("POST /api/session", { json, caller: "none", variant });
        this.#options.callers.session = String(answer.headers["set-cookie"]).split(";")[0]!;
      } finally {
        this.#signingIn = undefined;
      }
    })());
  }

  #isReported = (route: FuzzRoute, rule: string): boolean =>
    this.failures.some((failure) => failure.route === route.key && failure.rule === rule);
}

function brokenBy(exchange: Exchange, context: RuleContext): { rule: string; says: string }[] {
  return Object.entries(RULES).flatMap(([rule, holds]) => {
    const says = holds(exchange, context);
    return says === undefined ? [] : [{ rule, says }];
  });
}

const shortened = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length)}… (${text.length})` : text;

const describeRequest = ({ method, target, headers, body }: Prepared): string => {
  const shown = Object.entries(headers).map(([name, value]) => `${name}: ${shortened(value, 60)}`);
  return [
    `${method} ${shortened(target, 300)}`,
    ...shown,
    ...(body ? [shortened(JSON.stringify(body.toString()), 400)] : []),
  ].join("\n");
};

const describeAnswer = ({ status, text }: WireAnswer): string => `${status} ${shortened(text, 400)}`;
