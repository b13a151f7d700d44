import { isDeepStrictEqual } from "node:util";
import { patchConfiguration, patroniConfiguration } from "../../engines/patroni/client.ts";
import { dynamicConfiguration } from "../../engines/patroni/config.ts";
import type { Step, StepContext } from "../operation.ts";

type Parameters = Record<string, unknown>;
const parametersOf = (configuration: Parameters): Parameters =>
  ((configuration["postgresql"] as Parameters | undefined)?.["parameters"] as Parameters | undefined) ?? {};

/** What has to change in the DCS; a parameter that is no longer wanted is set to null. */
async function patch({ site }: StepContext<unknown>): Promise<Record<string, unknown> | undefined> {
  const wanted = dynamicConfiguration(site.topology) as unknown as Parameters;
  const current = await patroniConfiguration(site.topology);
  const gone = Object.keys(parametersOf(current)).filter((name) => !(name in parametersOf(wanted)));
  const differs = Object.keys(wanted).some((key) => !isDeepStrictEqual(wanted[key], current[key]));
  if (!differs && gone.length === 0) return undefined;
  const parameters = { ...parametersOf(wanted), ...Object.fromEntries(gone.map((name) => [name, null])) };
  return { ...wanted, postgresql: { ...(wanted["postgresql"] as object), parameters } };
}

/** Patroni's and PostgreSQL's settings that live in the DCS. */
export const applySettings: Step<unknown> = {
  name: "apply-settings",
  plan: () => "bring PostgreSQL's settings in the DCS to what homelab.yaml says",
  check: async (context) => (await patch(context)) === undefined,
  async run(context) {
    const change = await patch(context);
    if (change) await patchConfiguration(context.site.topology, await context.site.secrets(), change);
    return { says: "PostgreSQL's settings" };
  },
  deadline: 30,
};
