import type { ContractSchemas } from "./contract.ts";
import type { FuzzRoute } from "./document.ts";

/** What the data of a named event is, for the streams that say more than that something happened. */
const DATA: Record<string, string> = { step: "StepEntry", end: "Operation", operation: "Operation" };

/** What is wrong with a stream of events, as far as it was read (HTML Standard, 9.2 "Server-sent events"). */
export function streamFault(route: FuzzRoute, text: string, schemas: ContractSchemas): string | undefined {
  // The last message may be cut off.
  const messages = text.split("\n\n").slice(0, -1);
  for (const message of messages) {
    const lines = message.split("\n");
    const odd = lines.find((line) => !/^(id|event|data|retry): |^: /.test(line));
    if (odd !== undefined) return `a line of the stream: ${odd.slice(0, 100)}`;
    const fault = dataFault(lines, route, schemas);
    if (fault) return fault;
  }
  return undefined;
}

function dataFault(lines: string[], route: FuzzRoute, schemas: ContractSchemas): string | undefined {
  const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const [event, data] = [field("event"), field("data")];
  if (data === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return `data that is no JSON: ${data.slice(0, 100)}`;
  }
  const name = route.path.startsWith("/api/logs/") ? undefined : DATA[event ?? ""];
  const fault = name && schemas.faultOf(name, value);
  return fault && `event ${event}: ${fault}`;
}
