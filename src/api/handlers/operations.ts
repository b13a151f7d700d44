import type { Actor } from "../../accounts/roles.ts";
import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import type { Run } from "../../journal/journal.ts";
import type { RunEvent } from "../../operations/desk.ts";
import type { AnyOperation } from "../../operations/operation.ts";
import type { Call, Handlers, Message } from "../call.ts";
import type { operationsContract } from "../contract/operations.ts";
import type { Endpoint } from "../endpoint.ts";
import { checkScope } from "../mount.ts";
import { entryBody, operationBody } from "../operation-body.ts";
import type { Services } from "../services.ts";

/** How long a caller is told to wait before asking again, in seconds. */
const ASK_AGAIN = "1";

/** The answer for work that goes on by itself. */
const accepted = (run: Run) => ({
  status: 202 as const,
  body: operationBody(run),
  headers: { location: `/api/operations/${run.id}`, "retry-after": ASK_AGAIN },
});

/** Begins an operation, or says what it would do: the same for every route that does. */
export async function startOperation(
  { desk }: Services,
  operation: AnyOperation,
  input: unknown,
  call: Pick<Call<Endpoint>, "actor" | "request" | "signal">,
  { dry_run, wait }: { dry_run: boolean; wait: number },
) {
  if (dry_run) return { status: 200 as const, body: await desk.plan(operation.name, input) };
  requireTypedName(operation, input, call);
  const run = await desk.begin(operation.name, input, call.actor.name);
  return accepted(wait > 0 ? await desk.wait(run.id, wait, call.signal) : run);
}

/**
 * Whoever takes something away from a browser types its name (faults S25): a click, or a page that was left open, is not
 * enough. A key was made for what it may do. @throws HomelabError `confirmation_required`
 */
function requireTypedName(
  operation: AnyOperation,
  input: unknown,
  { actor, request }: Pick<Call<Endpoint>, "actor" | "request">,
): void {
  const parsed = actor.session && operation.confirm ? operation.input.safeParse(input) : undefined;
  // What is no input at all is refused by the operation itself.
  if (!parsed?.success) return;
  const name = operation.confirm!(parsed.data);
  if (request.headers["homelab-confirm"] === name) return;
  throw new HomelabError("confirmation_required", `${operation.name} needs the name ${printable(name)} typed`, {
    hint: "Send it in the header Homelab-Confirm.",
  });
}

/** Following and steering what is being done. */
export function operationHandlers(services: Services): Handlers<typeof operationsContract> {
  const { desk, journal } = services;
  /** Looking is for every reader; steering needs what starting it needed. */
  const maySteer = (actor: Actor, name: string): AnyOperation => {
    const operation = desk.operation(name);
    checkScope(operation, actor);
    return operation;
  };
  const mayStart = (actor: Actor, name: string): AnyOperation => {
    const operation = maySteer(actor, name);
    if (operation.route) return operation;
    throw new HomelabError("not_allowed", `${operation.name} is for the machine itself`, {
      hint: `homelab ${operation.command} runs it there.`,
    });
  };
  return {
    "GET /api/operations": async ({ query }) => {
      const { limit, cursor, state, operation } = query;
      // One more than asked for tells whether there is a next page.
      const filter = { limit: limit + 1, before: cursor as Run["id"] | undefined, state, operation };
      const runs = await journal.list(filter);
      const items = runs.slice(0, limit);
      const next = runs.length > limit ? items.at(-1)!.id : null;
      return {
        status: 200,
        body: { items: items.map(operationBody), next_cursor: next, total: await journal.count({ state, operation }) },
      };
    },
    "POST /api/operations": async (call) => {
      const { body, query, actor, audit } = call;
      const operation = mayStart(actor, body.operation);
      audit({ action: operation.name, target: subjectOf(body.input) });
      return startOperation(services, operation, body.input, call, query);
    },
    "GET /api/operations/{id}": async ({ params, query, signal }) => ({
      status: 200,
      body: operationBody(await desk.wait(params.id, query.wait, signal)),
    }),
    "GET /api/operations/{id}/log": async ({ params, query }) => {
      const run = await desk.get(params.id);
      const entries = await journal.entries(run.id, query.after);
      const next = entries.at(-1)?.seq ?? query.after;
      return { status: 200, body: { items: entries.map(entryBody), next, completed: run.state !== "running" } };
    },
    "GET /api/operations/{id}/events": async ({ params, request, signal }) => {
      const run = await desk.get(params.id);
      return { events: messages(desk.follow(run.id, lastSeen(request.headers["last-event-id"]), signal)) };
    },
    "POST /api/operations/{id}/cancel": async ({ params, actor }) => {
      maySteer(actor, (await desk.get(params.id)).operation);
      return accepted(await desk.cancel(params.id));
    },
    "POST /api/operations/{id}/retry": async (call) => {
      const before = await desk.get(call.params.id);
      return startOperation(services, mayStart(call.actor, before.operation), before.input, call, call.query);
    },
  };
}

/** What an operation is about, for the records: the first text of its input. */
const subjectOf = (input: object): string =>
  String(Object.values(input).find((value) => typeof value === "string") ?? "").slice(0, 200);

const lastSeen = (header: string | string[] | undefined): number => {
  const seq = Number(header ?? 0);
  return Number.isSafeInteger(seq) && seq >= 0 ? seq : 0;
};

async function* messages(events: AsyncIterable<RunEvent>): AsyncGenerator<Message> {
  for await (const event of events) {
    if (event.kind === "entry") yield { id: String(event.entry.seq), event: "step", data: entryBody(event.entry) };
    else if (event.kind === "progress") yield { event: "progress", data: { step: event.step, ...event.progress } };
    else yield { event: "end", data: operationBody(event.run) };
  }
}
