import { HomelabError } from "../../core/errors.ts";
import { exists, readJson } from "../../host/files.ts";
import { readRecovery } from "../../site/recovery-note.ts";
import type { Guard, Operation } from "../operation.ts";
import { applyConfiguration } from "../steps/apply-configuration.ts";
import { installLookups } from "../steps/install-lookups.ts";
import { issueCertificates } from "../steps/issue-certificates.ts";
import { makePlatformDatabaseStep } from "../steps/make-platform-database.ts";
import { makePlatformRoles } from "../steps/make-platform-roles.ts";
import { makeSecrets } from "../steps/make-secrets.ts";
import { prepareFolders } from "../steps/prepare-folders.ts";
import { proveConnections } from "../steps/prove-connections.ts";
import { startAgentStep } from "../steps/start-agent.ts";
import { startAllServices, startEtcd } from "../steps/start-services.ts";
import { writeConfiguration } from "../steps/write-configuration.ts";
import { invariantsHold } from "./create.ts";
import { chooseBackup } from "./recover/choose-backup.ts";
import { handToPatroni } from "./recover/hand-to-patroni.ts";
import { recoverInput, type RecoverInput } from "./recover/input.ts";
import { prepareRepositories } from "./recover/prepare-repositories.ts";
import { proveLogins, type ProvenLogins } from "./recover/prove-logins.ts";
import { replayWal, type Replayed } from "./recover/replay-wal.ts";
import { replayedPath, restoreFiles } from "./recover/restore-files.ts";

/** Never over a cluster that is there (faults F73), and only where a kit was unpacked. */
const homeIsEmpty: Guard<RecoverInput> = async ({ site }) => {
  const { paths } = site.topology;
  if (await exists(paths.bootstrapped))
    throw new HomelabError("restore_refused", `${paths.root} has a cluster already, and nothing is restored over it`, {
      hint: "Recover under another --home.",
    });
  if (!(await readRecovery(paths)) || !(await exists(paths.storage)))
    throw new HomelabError("restore_refused", `no recovery kit was unpacked under ${paths.root}`, {
      hint: "homelab up --recover KIT does that.",
    });
};

/** Takes an empty home with an unpacked kit to the cluster that it was made of, as far as its WAL was archived. */
export const clusterRecover: Operation<RecoverInput> = {
  name: "cluster.recover",
  summary: "Bring a lost installation back from its repository and its recovery kit",
  title: () => "Recover the installation",
  scope: "admin",
  route: null,
  command: "up",
  input: recoverInput,
  locks: () => ["cluster", "backup"],
  guards: [invariantsHold, homeIsEmpty],
  steps: [
    prepareFolders,
    makeSecrets,
    issueCertificates,
    writeConfiguration,
    chooseBackup,
    startAgentStep,
    // An earlier attempt may have left services running with other files.
    applyConfiguration,
    startEtcd,
    restoreFiles,
    prepareRepositories,
    replayWal,
    handToPatroni,
    startAllServices,
    makePlatformRoles,
    makePlatformDatabaseStep,
    installLookups,
    proveConnections,
    proveLogins,
  ],
  result: async ({ site, output }) => ({
    cluster: site.topology.scope,
    home: site.topology.paths.root,
    backup: output("choose-backup") ?? null,
    // An earlier run may have done that part.
    replayed: (await readJson<Replayed>(replayedPath(site.topology))) ?? null,
    logins: output<ProvenLogins>("prove-logins") ?? null,
  }),
};
