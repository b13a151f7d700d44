import { connect } from "node:net";
import { engineRequest, type TlsFiles } from "./https.ts";

/** How a service is known to be ready. Plain data, so that it can be stored beside what is to run. */
export type Probe = { tcp: number } | { socket: string } | { https: number; path: string; contains?: string };

/** Whether the service is ready now; never throws. */
export async function isReady(probe: Probe, tls: TlsFiles): Promise<boolean> {
  if ("https" in probe) {
    const answer = await engineRequest(tls, { port: probe.https, path: probe.path, timeout: 2 }).catch(() => undefined);
    return answer?.status === 200 && answer.text.includes(probe.contains ?? "");
  }
  return accepts(probe);
}

function accepts(target: { tcp: number } | { socket: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = "socket" in target ? connect(target.socket) : connect(target.tcp, "127.0.0.1");
    const answer = (yes: boolean) => (socket.destroy(), resolve(yes));
    socket.setTimeout(1000, () => answer(false));
    socket.once("connect", () => answer(true)).once("error", () => answer(false));
  });
}
