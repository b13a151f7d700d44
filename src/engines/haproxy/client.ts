import { connect } from "node:net";
import type { Topology } from "../../cluster/topology.ts";
import { HomelabError } from "../../core/errors.ts";
import { haproxySocket } from "./config.ts";

/** Sends one command to HAProxy's runtime socket (management guide, 9.3) and answers its text. */
function runtime(topology: Topology, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(haproxySocket(topology), () => socket.end(`${command}\n`));
    socket.setTimeout(3000, () => socket.destroy(new Error("no answer within 3 s")));
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    socket.on("error", (cause) =>
      reject(new HomelabError("engine_unreachable", `HAProxy does not answer: ${cause.message}`, { cause })),
    );
    socket.on("end", () => resolve(text));
  });
}

/** Sessions that are open on each direct port. */
export async function haproxySessions(topology: Topology): Promise<Record<string, number>> {
  const rows = (await runtime(topology, "show stat")).split("\n").map((line) => line.split(","));
  const frontends = rows.filter((row) => row[1] === "FRONTEND" && row[0]?.startsWith("direct"));
  return Object.fromEntries(frontends.map((row) => [row[0]!, Number(row[4])]));
}
