import { waitUntil } from "../../core/clock.ts";
import { errorMessage, HomelabError } from "../../core/errors.ts";
import type { Login } from "../../cluster/urls.ts";
import { proveSocketLogin } from "../../engines/pgbouncer/login.ts";
import type { Site } from "../../site/site.ts";
import type { Step } from "../operation.ts";
import { readCredentials } from "../../site/credentials.ts";
import { ownerOf, type ProvisionInput } from "./provision-input.ts";

/**
 * Logs in through the pooler until it works. After a failed server login the pooler refuses the next client too,
 * whatever the cause was, so a URL is handed out only once a login went through (engines: pitfall 3).
 */
export async function provePooledLogin(site: Site, login: Login, signal: AbortSignal): Promise<string> {
  let last = "";
  const attempt = async () => {
    try {
      return await proveSocketLogin(site.topology, login);
    } catch (error) {
      last = errorMessage(error);
      return undefined;
    }
  };
  return waitUntil(attempt, {
    timeout: 20,
    every: 100,
    signal,
    what: `${login.user} logs in through the pooler`,
    why: () => last,
  });
}

/** The end of provisioning: the app's own way in, and whom it acts as. */
export const proveAppLogin: Step<ProvisionInput> = {
  name: "prove-app-login",
  plan: ({ input }) => `log in to ${input.name} through the pooler as the app would`,
  async run(context) {
    const { input, site, signal } = context;
    const credentials = await readCredentials(site.topology.paths, input.name);
    if (!credentials) throw new HomelabError("step_failed", "the credentials file is gone");
    const actsAs = await provePooledLogin(site, { database: input.name, ...credentials.app }, signal);
    const owner = await ownerOf(context);
    if (actsAs !== owner) {
      throw new HomelabError("step_failed", `${credentials.app.user} acts as ${actsAs}, not as ${owner}`);
    }
    return { says: `${credentials.app.user} logged in through the pooler` };
  },
  deadline: 30,
};
