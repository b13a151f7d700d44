import { z } from "zod";
import { waitUntil } from "../../core/clock.ts";
import { patroniMember, restartPostgres } from "../../engines/patroni/client.ts";
import { settingsWaitingForRestart } from "../../engines/postgres/settings.ts";
import type { Operation, Step, StepContext } from "../operation.ts";
import { applyConfiguration } from "../steps/apply-configuration.ts";
import { applySettings } from "../steps/apply-settings.ts";
import { installLookups } from "../steps/install-lookups.ts";
import { issueCertificates } from "../steps/issue-certificates.ts";
import { makePlatformDatabaseStep } from "../steps/make-platform-database.ts";
import { makePlatformRoles } from "../steps/make-platform-roles.ts";
import { makeSecrets } from "../steps/make-secrets.ts";
import { makeStanzaStep } from "../steps/make-stanza.ts";
import { makeStorage } from "../steps/make-storage.ts";
import { poolsPaused } from "../steps/pools-paused.ts";
import { prepareFolders } from "../steps/prepare-folders.ts";
import { proveConnections } from "../steps/prove-connections.ts";
import { startAgentStep } from "../steps/start-agent.ts";
import { startAllServices } from "../steps/start-services.ts";
import { writeConfiguration } from "../steps/write-configuration.ts";
import { invariantsHold } from "./create.ts";

const waiting = async ({ site }: StepContext<unknown>) =>
  settingsWaitingForRestart(await (await site.postgres()).admin(), site.topology.parameters);

/** Settings that PostgreSQL takes only at its start. */
const restartForSettings: Step<Record<string, never>> = {
  name: "restart-for-settings",
  plan: () => "restart PostgreSQL if a setting waits for that",
  check: async (context) => (await waiting(context)).length === 0,
  async run(context) {
    const { topology } = context.site;
    const names = await waiting(context);
    const noticed = async () => (await patroniMember(topology)).pending_restart === true;
    await waitUntil(noticed, { timeout: 30, signal: context.signal, what: `PostgreSQL accepts ${names.join(", ")}` });
    await restartPostgres(topology, await context.site.secrets(), 90);
    return { says: `PostgreSQL restarted for ${names.join(", ")}` };
  },
  deadline: 130,
};

/** Brings what runs to what homelab.yaml says; where nothing differs, nothing is touched. */
export const clusterConverge: Operation<Record<string, never>> = {
  name: "cluster.converge",
  summary: "Bring this machine to what its settings say",
  title: () => "Bring this machine to its settings",
  scope: "operate",
  route: { method: "POST", path: "/api/cluster/converge" },
  command: "up",
  input: z.strictObject({}),
  locks: () => ["cluster"],
  guards: [invariantsHold],
  steps: [
    prepareFolders,
    makeSecrets,
    makeStorage,
    issueCertificates,
    writeConfiguration,
    startAgentStep,
    startAllServices,
    applyConfiguration,
    applySettings,
    // Before archiving begins, in a home that had none.
    makeStanzaStep,
    poolsPaused([restartForSettings]),
    makePlatformRoles,
    makePlatformDatabaseStep,
    installLookups,
    proveConnections,
  ],
  result: async ({ site }) => ({ cluster: site.topology.scope, home: site.topology.paths.root }),
};
