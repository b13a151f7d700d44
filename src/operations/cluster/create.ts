import { z } from "zod";
import { HomelabError } from "../../core/errors.ts";
import { violations } from "../../cluster/invariants.ts";
import type { Guard, Operation } from "../operation.ts";
import { applyConfiguration } from "../steps/apply-configuration.ts";
import { bootstrapPostgresStep } from "../steps/bootstrap-postgres.ts";
import { issueCertificates } from "../steps/issue-certificates.ts";
import { makePlatformDatabaseStep } from "../steps/make-platform-database.ts";
import { makePlatformRoles } from "../steps/make-platform-roles.ts";
import { makeSecrets } from "../steps/make-secrets.ts";
import { makeStanzaStep } from "../steps/make-stanza.ts";
import { makeStorage } from "../steps/make-storage.ts";
import { prepareFolders } from "../steps/prepare-folders.ts";
import { proveConnections } from "../steps/prove-connections.ts";
import { startAgentStep } from "../steps/start-agent.ts";
import { startAllServices, startEtcd } from "../steps/start-services.ts";
import { writeConfiguration } from "../steps/write-configuration.ts";

/** Every rule across engines, before anything is touched. */
export const invariantsHold: Guard<unknown> = async ({ site }) => {
  const found = violations(site.topology);
  if (found.length === 0) return;
  throw new HomelabError("invariant_violated", found.map((violation) => violation.says).join("; "), {
    hint: found.map((violation) => violation.hint).join(" "),
  });
};

/** Takes a machine with the packages to a running cluster of one node. */
export const clusterCreate: Operation<Record<string, never>> = {
  name: "cluster.create",
  summary: "Set up PostgreSQL, Patroni, etcd, the pooler and the balancer on this machine",
  title: () => "Set up this machine",
  scope: "admin",
  route: null,
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
    // An earlier attempt may have left services running with other files.
    applyConfiguration,
    startEtcd,
    bootstrapPostgresStep,
    makeStanzaStep,
    startAllServices,
    makePlatformRoles,
    makePlatformDatabaseStep,
    proveConnections,
  ],
  result: async ({ site }) => ({ cluster: site.topology.scope, home: site.topology.paths.root }),
};
