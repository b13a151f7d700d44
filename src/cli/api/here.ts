import { openInProcess } from "../../hub/in-process.ts";
import { programIn } from "../../host/program.ts";
import { bundleFolder } from "../context.ts";
import { crashPoint } from "../crash-point.ts";
import type { Transport } from "./transport.ts";

declare const HOMELAB_VERSION: string;

/** The API in this process, for a home whose hub is away. */
export async function openHere(root: string): Promise<Omit<Transport, "where">> {
  const program = await programIn(bundleFolder());
  return openInProcess(root, program, { version: HOMELAB_VERSION, onCrashPoint: crashPoint(process.env) });
}
