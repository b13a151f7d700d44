import { z } from "zod";
import type { AnyOperation } from "../operations/operation.ts";
import { registry } from "../operations/registry.ts";
import type { Call, Mounted } from "./call.ts";
import { operation as operationSchema } from "./contract/operations.ts";
import { operationQuery, plan, type Endpoint } from "./endpoint.ts";
import { startOperation } from "./handlers/operations.ts";
import type { Services } from "./services.ts";

/** A route for each operation of the registry; `taken` are those that are served by a function of their own. */
export function registryRoutes(services: Services, taken: ReadonlySet<string>): Mounted[] {
  return registry
    .filter(({ route }) => route !== null && !taken.has(`${route.method} ${route.path}`))
    .map((operation) => routeOf(operation, services));
}

function routeOf(operation: AnyOperation, services: Services): Mounted {
  const { method, path } = operation.route!;
  const input = operation.input as unknown as z.ZodObject;
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  const mask = Object.fromEntries(names.map((name) => [name, true as const])) as Record<string, true>;
  const rest = input.omit(mask as never);
  const endpoint: Endpoint = {
    summary: operation.summary,
    // What was deleted belongs to what it was.
    tag: path.split("/")[2]!.replace(/^deleted-/, ""),
    scope: operation.scope,
    ...(names.length > 0 ? { params: input.pick(mask as never) } : {}),
    query: operationQuery,
    ...(method === "POST" ? { body: rest } : {}),
    answers: { 200: plan, 202: operationSchema },
  };
  return { method, path, endpoint, handler: (call) => start(operation, call, services) };
}

async function start(operation: AnyOperation, call: Call<Endpoint>, services: Services) {
  const { params, body } = call as Call<Endpoint> & Record<"params" | "body", object | undefined>;
  const { dry_run, wait } = call.query as z.output<typeof operationQuery>;
  call.audit({ action: operation.name, target: Object.values(params ?? {}).join("/") });
  return startOperation(services, operation, { ...params, ...body }, call, { dry_run, wait });
}
