import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { run, runAny, type CommandResult } from "../../src/host/run.ts";

/** Whether this process may make network namespaces: root, with ip(8). */
export const canMakeNetworks = (): boolean => process.getuid?.() === 0 && existsSync("/usr/sbin/ip");

/** Two network namespaces with a wire between them, as if they were two machines of a home (ip-netns(8), veth(4)). */
export class TwoMachines {
  readonly #id = randomInt(0x1000, 0x10000).toString(16);
  readonly #net = randomInt(1, 255);

  /** The first one is the server, the second one a neighbour in the same network. */
  readonly server = `hl-${this.#id}-a`;
  readonly neighbour = `hl-${this.#id}-b`;
  readonly serverAddress = `10.213.${this.#net}.1`;
  readonly neighbourAddress = `10.213.${this.#net}.2`;

  private constructor() {}

  static async make(): Promise<TwoMachines> {
    const made = new TwoMachines();
    const { server, neighbour, serverAddress, neighbourAddress } = made;
    const wire = [`hl${made.#id}a`, `hl${made.#id}b`] as const;
    try {
      for (const name of [server, neighbour]) {
        await ip("netns", "add", name);
        await ip("-n", name, "link", "set", "lo", "up");
      }
      await ip("link", "add", wire[0], "netns", server, "type", "veth", "peer", "name", wire[1], "netns", neighbour);
      await ip("-n", server, "address", "add", `${serverAddress}/24`, "dev", wire[0]);
      await ip("-n", neighbour, "address", "add", `${neighbourAddress}/24`, "dev", wire[1]);
      await ip("-n", server, "link", "set", wire[0], "up");
      await ip("-n", neighbour, "link", "set", wire[1], "up");
      return made;
    } catch (error) {
      await made.destroy();
      throw error;
    }
  }

  /** Runs a program on one of the two, and answers how it ended. */
  on(
    machine: string,
    argv: string[],
    options: { env?: Record<string, string>; timeout?: number } = {},
  ): Promise<CommandResult> {
    const env = { PATH: process.env["PATH"]!, HOME: process.env["HOME"] ?? "/", ...options.env };
    return runAny({ argv: ["ip", "netns", "exec", machine, ...argv], env, timeout: options.timeout ?? 170 });
  }

  /** Removes both; the wire goes with its ends. */
  async destroy(): Promise<void> {
    for (const name of [this.server, this.neighbour]) await runAny({ argv: ["ip", "netns", "delete", name] });
  }
}

const ip = (...words: string[]) => run({ argv: ["ip", ...words], timeout: 20 });
