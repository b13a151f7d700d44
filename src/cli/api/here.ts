import { openInProcess } from "../../hub/in-process.ts";
import type { Program } from "../../host/program.ts";
import { crashPoint } from "../crash-point.ts";
import type { Transport } from "./transport.ts";

declare const HOMELAB_VERSION: string;

/** The API in this process, for a home whose hub is away. */
export const openHere = (root: string, program: Program): Promise<Omit<Transport, "where">> =>
  openInProcess(root, program, { version: HOMELAB_VERSION, onCrashPoint: crashPoint(process.env) });
