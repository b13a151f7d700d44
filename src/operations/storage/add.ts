import { dirname } from "node:path";
import { placeOf, storageText, withFormer, withRepository, withoutRepository } from "../../config/storage.ts";
import { Secret } from "../../core/secret.ts";
import { errorMessage, HomelabError } from "../../core/errors.ts";
import { generatePassword } from "../../core/password.ts";
import { formatBytes } from "../../core/units.ts";
import { checkArrival, knowsCluster, makeStanzaIn } from "../../engines/pgbackrest/only.ts";
import { troubleOf } from "../../engines/pgbackrest/trouble.ts";
import { tryDisk } from "../../engines/pgbackrest/try-disk.ts";
import { tryS3 } from "../../engines/pgbackrest/try-s3.ts";
import { writeAtomic } from "../../host/files.ts";
import { forgetKeys, readKeys } from "../../site/storage-keys.ts";
import type { Guard, Operation, Step, StepContext } from "../operation.ts";
import { addInput, type AddInput } from "./add-input.ts";
import { candidateOf, numberIn, placeOfInput, repositoryOf, savedIn } from "./candidate.ts";
import { isInUse, useStorage } from "./use-repository.ts";

type Context = StepContext<AddInput>;

/** The name and the place are free, and there is a number left. */
const isFree: Guard<AddInput> = async ({ site, input }) => {
  const storage = await site.storage();
  const place = placeOfInput(input);
  const known = storage.repositories.find((each) => each.name === input.name || placeOf(each) === place);
  if (known) {
    const what =
      known.name === input.name ? `is called ${input.name} already` : `keeps its backups in ${place} already`;
    throw new HomelabError("name_taken", `the repository ${known.name} ${what}`, {
      hint: "homelab storage list shows all; homelab storage remove gives one up.",
    });
  }
  numberIn(storage);
};

const within = (inner: string, outer: string): boolean => `${inner}/`.startsWith(`${outer.replace(/\/+$/, "")}/`);

/** A repository beside the data, or in another one, would go with it. */
const isApart: Guard<AddInput> = async ({ site, input }) => {
  if (input.type !== "disk") return;
  const { paths } = site.topology;
  const path = input.path!;
  const { repositories } = await site.storage();
  const others = repositories.filter((each) => each.type === "disk").map((each) => each.path);
  const ours = [paths.data, paths.etc, paths.tls, paths.run, paths.state, paths.scratch, paths.credentials, paths.logs];
  const inTheWay = [...ours, ...others].find((each) => within(path, each) || within(each, path));
  if (!inTheWay) return;
  throw new HomelabError("storage_unusable", `${path} and ${inTheWay} are one within the other`, {
    hint: "Take a folder of its own, best on another disk.",
  });
};

const hasKeys: Guard<AddInput> = async ({ site, input }) => {
  await candidateOf(site, input);
};

/** pgBackRest asks PostgreSQL who it is when it prepares a repository. */
const answers: Guard<AddInput> = async ({ site }) => {
  await (await site.postgres()).admin();
};

const tryPlace: Step<AddInput> = {
  name: "try-place",
  plan: ({ input }) => `write, read, list and delete something in ${placeOfInput(input)}`,
  async run({ site, input }) {
    const candidate = await candidateOf(site, input);
    if (candidate.type === "disk") {
      const { free } = await tryDisk(candidate);
      return { says: `a file went there and back; ${free === undefined ? "?" : formatBytes(free)} free` };
    }
    const { versioning } = await tryS3(candidate);
    return { says: "an object went there and back", output: { versioning } };
  },
  // Whatever becomes of it, its keys are not left lying about, nor its CA.
  async undo({ site, input }) {
    if (input.keys) await forgetKeys(site.topology.paths, input.keys);
    await useStorage(site, await site.storage());
  },
  deadline: 120,
};

const hasPassphrase = async ({ site, input }: Context): Promise<boolean> => {
  const storage = await site.storage();
  const place = placeOfInput(input);
  return savedIn(storage, input) !== undefined || storage.former?.some((each) => each.place === place) === true;
};

/**
 * Noted before anything is written there, and never taken back: what is encrypted with it could not be read without it.
 * A place that was ours before has its old one.
 */
const choosePassphrase: Step<AddInput> = {
  name: "choose-passphrase",
  plan: ({ site }) => `generate a passphrase into ${site.topology.paths.storage}`,
  check: hasPassphrase,
  async run({ site, input }) {
    const { paths, settings } = site.topology;
    const passphrase = settings.backup.encrypt ? new Secret(generatePassword(48)) : null;
    const storage = withFormer(await site.storage(), placeOfInput(input), passphrase);
    await writeAtomic(paths.storage, storageText(storage));
    return { says: passphrase ? `a passphrase, kept in ${paths.storage}` : "it is not encrypted (backup.encrypt)" };
  },
  deadline: 10,
};

/** Before PostgreSQL's WAL goes there: a repository that does not know the cluster would hold archiving up. */
const prepareRepository: Step<AddInput> = {
  name: "prepare-repository",
  plan: ({ site, input }) => `let ${input.name} take backups of ${site.topology.scope}`,
  check: async (context) => {
    const { site, input, signal } = context;
    if (!(await hasPassphrase(context))) return false;
    // Once the keys are forgotten it is saved, or was given up.
    if (input.keys && !savedIn(await site.storage(), input) && !(await readKeys(site.topology.paths, input.keys)))
      return false;
    const repository = await repositoryOf(site, input);
    const alone = { topology: site.topology, secrets: await site.secrets(), repository };
    return inWords(repository, knowsCluster(alone, signal));
  },
  async run({ site, input, signal }) {
    const repository = await repositoryOf(site, input);
    const alone = { topology: site.topology, secrets: await site.secrets(), repository };
    await inWords(repository, makeStanzaIn(alone, signal));
    return { says: `it takes backups of ${site.topology.scope}` };
  },
  deadline: 120,
};

/** What pgBackRest says of a repository, as an error of ours. */
async function inWords<T>(about: Parameters<typeof troubleOf>[1], work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const { says, hint } = troubleOf(errorMessage(cause), about);
    throw new HomelabError("storage_unusable", `${about.name}: ${says}`, { hint, cause });
  }
}

const useRepository: Step<AddInput> = {
  name: "use-repository",
  plan: ({ site, input }) => `send WAL to ${input.name} too: ${site.topology.paths.storage}`,
  check: async ({ site, input }) => savedIn(await site.storage(), input) !== undefined && (await isInUse(site)),
  async run({ site, input }) {
    const storage = await site.storage();
    const repository = await repositoryOf(site, input);
    await useStorage(site, savedIn(storage, input) ? storage : withRepository(storage, repository));
    return { says: `repository ${repository.number}` };
  },
  async undo({ site, input }) {
    const storage = await site.storage();
    await useStorage(site, savedIn(storage, input) ? withoutRepository(storage, input.name) : storage);
  },
  deadline: 20,
};

const proveArrival: Step<AddInput> = {
  name: "prove-arrival",
  plan: ({ input }) => `see a segment of WAL arrive in ${input.name}`,
  async run({ site, input, signal }) {
    const repository = await repositoryOf(site, input);
    await inWords(
      repository,
      checkArrival({ topology: site.topology, secrets: await site.secrets(), repository }, signal),
    );
    return { says: "a segment of WAL arrived" };
  },
  deadline: 180,
};

const forgetKeysStep: Step<AddInput> = {
  name: "forget-keys",
  plan: ({ input }) =>
    input.type === "s3" ? "remove the file in which the keys waited" : "nothing is left to tidy up",
  check: async ({ site, input }) => !input.keys || (await readKeys(site.topology.paths, input.keys)) === undefined,
  async run({ site, input }) {
    await forgetKeys(site.topology.paths, input.keys!);
    return { says: `they are in ${dirname(site.topology.paths.storage)} alone, in storage.json` };
  },
  deadline: 10,
};

/** Takes one more place for backups, once it was seen to work. */
export const storageAdd: Operation<AddInput> = {
  name: "storage.add",
  summary: "Add a repository for backups and WAL, once it was seen to work",
  title: ({ name }) => `Add repository ${name}`,
  scope: "admin",
  route: { method: "POST", path: "/api/storage" },
  command: "storage add",
  input: addInput,
  // Below the cluster: a converge renders the same files. A backup that goes on is not in its way.
  locks: () => ["cluster/storage"],
  guards: [isFree, isApart, hasKeys, answers],
  steps: [tryPlace, choosePassphrase, prepareRepository, useRepository, proveArrival, forgetKeysStep],
  result: async ({ site, input, output }) => {
    const repository = savedIn(await site.storage(), input);
    return {
      repository: input.name,
      number: repository?.number ?? null,
      place: placeOfInput(input),
      encrypted: repository?.cipher_pass != null,
      versioning: output<{ versioning: string | null }>("try-place")?.versioning ?? null,
    };
  },
};
