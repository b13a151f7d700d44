import { settingsJsonSchema } from "../../config/settings.ts";
import { shownSettings } from "../../config/shown-settings.ts";
import { machineFacts, postgresMajors } from "../../host/machine.ts";
import { postgresParameters } from "../../cluster/sizing.ts";
import { readInstallation } from "../../site/installation.ts";
import type { Context } from "../context.ts";
import { table } from "../output.ts";
import { loadSettings, settingsFile } from "../settings-files.ts";

/** The JSON schema of homelab.yaml. */
export async function schema(context: Context): Promise<void> {
  context.out.json(settingsJsonSchema());
}

/** Every value in force with its origin, what was sized by the machine included; secrets are only said to be there. */
export async function show(context: Context): Promise<void> {
  const { settings, origins } = await loadSettings(context);
  const [major] = postgresMajors();
  const machine = await machineFacts(major ?? 0);
  const sized = postgresParameters(machine, settings);
  const values = [
    ...shownSettings(settings).map(([path, value]) => ({ setting: path, value, origin: origins[path] ?? "default" })),
    ...Object.entries(sized).map(([name, value]) => ({
      setting: `postgresql.${name}`,
      value,
      origin:
        name in settings.postgres.extra && settings.postgres.extra[name] === value
          ? (origins[`postgres.extra.${name}`] ?? "default")
          : "homelab, for this machine",
    })),
  ];
  const waiting = await notApplied(context, settings);
  if (context.flags.json) return context.out.json({ file: settingsFile(context), values, applied: !waiting });
  table(
    context.out,
    ["SETTING", "VALUE", "ORIGIN"],
    values.map((row) => [row.setting, JSON.stringify(row.value), row.origin]),
  );
  if (waiting) context.out.note("Not applied yet: homelab up");
}

async function notApplied({ paths }: Context, settings: object): Promise<boolean> {
  const installed = await readInstallation(paths).catch(() => undefined);
  return installed !== undefined && JSON.stringify(installed.settings) !== JSON.stringify(settings);
}
