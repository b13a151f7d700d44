import { randomInt } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listeners } from "../../src/host/ports.ts";

const DEFAULT_PORTS = [5431, 5432, 5433, 6432, 6433, 8008, 2379, 2380, 7000, 5000, 5443];

/** No two default ports differ by a multiple of it: homes with offsets that are multiples never meet. */
const STEP = 17;

const RESERVED = join(tmpdir(), "homelab-test-ports");

/** An offset at which none of the ports is taken now, and which no other test file that runs has got. */
export function freePortOffset(): number {
  const taken = new Set(listeners().map(({ port }) => port));
  for (;;) {
    const offset = randomInt(530, 1411) * STEP;
    if (DEFAULT_PORTS.every((port) => !taken.has(port + offset)) && reserve(offset)) return offset;
  }
}

/** Held for as long as this process lives: a home that is being started listens nowhere yet. */
function reserve(offset: number): boolean {
  mkdirSync(RESERVED, { recursive: true });
  const path = join(RESERVED, String(offset));
  try {
    writeFileSync(path, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    if (isHeld(path)) return false;
    writeFileSync(path, String(process.pid));
    return true;
  }
}

function isHeld(path: string): boolean {
  try {
    process.kill(Number(readFileSync(path, "utf8")), 0);
    return true;
  } catch {
    return false;
  }
}
