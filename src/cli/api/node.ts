import { sleep } from "../../core/clock.ts";
import { HomelabError } from "../../core/errors.ts";
import { hubSocketPath, type HomePaths } from "../../cluster/home.ts";
import { sendHttp } from "./http.ts";
import { ConnectionFailed, type ApiRequest, type ApiResponse, type Transport } from "./transport.ts";

/** Milliseconds for a hub to come back while the agent lives, which starts it again. */
const COMES_BACK_WITHIN = 5000;

/** What the way to this machine's own API needs. */
export interface NodeOptions {
  paths: HomePaths;
  /** For the records; whoever may open the socket may do everything. */
  caller: string;
  /** Asks no hub. */
  local: boolean;
  /** Opens the API in this process. */
  open(): Promise<Omit<Transport, "where">>;
  note(text: string): void;
}

/** The way to the API of this machine: by the hub's socket; where no hub answers, the same API in this process. */
export class NodeTransport implements Transport {
  readonly where = "the hub";
  readonly #options: NodeOptions;
  readonly #caller: Record<string, string>;
  #here: ReturnType<NodeOptions["open"]> | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#caller = /^[\x21-\x7e]+$/.test(options.caller) ? { "x-homelab-caller": options.caller } : {};
    if (options.local) this.#here = options.open();
    this.#here?.catch(() => {});
  }

  async send(request: ApiRequest): Promise<ApiResponse> {
    const known = { ...request, headers: { ...request.headers, ...this.#caller } };
    const answer = this.#here ? undefined : await this.#askHub(known);
    return answer ?? (await (this.#here ??= this.#options.open())).send(known);
  }

  async close(): Promise<void> {
    await (await this.#here?.catch(() => undefined))?.close();
  }

  /** Undefined when there is no hub, and none is about to come. */
  async #askHub(request: ApiRequest): Promise<ApiResponse | undefined> {
    const end = Date.now() + COMES_BACK_WITHIN;
    for (;;) {
      try {
        return await sendHttp({ socketPath: hubSocketPath(this.#options.paths) }, request);
      } catch (error) {
        if (!(error instanceof ConnectionFailed && error.refused)) throw error;
        if (error.reason === "EACCES") throw notOurs(this.#options.paths);
      }
      const expected = await isExpected(this.#options.paths);
      if (!expected.up) return undefined;
      if (!expected.soon || Date.now() > end) {
        this.#options.note("the hub does not answer: working without it");
        return undefined;
      }
      await sleep(50, request.signal);
    }
  }
}

/** Whether a hub is meant to run here, and whether somebody is there to start it. */
async function isExpected(paths: HomePaths): Promise<{ up: boolean; soon: boolean }> {
  const [{ readAgent }, { readDesired }] = await Promise.all([
    import("../../host/agent-process.ts"),
    import("../../host/services.ts"),
  ]);
  const desired = await readDesired(paths).catch(() => undefined);
  if (!desired?.up) return { up: false, soon: false };
  const agent = await readAgent(paths);
  return { up: true, soon: agent?.alive === true && desired.services.some(({ name }) => name === "hub") };
}

const notOurs = ({ root }: HomePaths): HomelabError =>
  new HomelabError("not_allowed", `${root} belongs to another user`, {
    hint: "Use sudo, or name your own installation with --home.",
  });
