import { z } from "zod";
import { placeOf, withoutRepository, type Repository } from "../../config/storage.ts";
import { HomelabError } from "../../core/errors.ts";
import { printable } from "../../core/text.ts";
import { readRepository } from "../../site/backup-catalogue.ts";
import type { Site } from "../../site/site.ts";
import type { Guard, Operation, Step } from "../operation.ts";
import { isInUse, useStorage } from "./use-repository.ts";

const removeInput = z.strictObject({ name: z.string().max(40).describe("The repository's name") });

type RemoveInput = z.infer<typeof removeInput>;

/** @throws HomelabError `not_found` */
async function requireRepository(site: Site, name: string): Promise<Repository> {
  const { repositories } = await site.storage();
  const found = repositories.find((each) => each.name === name);
  if (found) return found;
  throw new HomelabError("not_found", `there is no repository ${printable(name)}`, {
    hint: "homelab storage list shows them.",
  });
}

const exists: Guard<RemoveInput> = async ({ site, input }) => {
  await requireRepository(site, input.name);
};

const isNotLast: Guard<RemoveInput> = async ({ site, input }) => {
  const { repositories } = await site.storage();
  if (repositories.length > 1 || repositories[0]?.name !== input.name) return;
  throw new HomelabError("not_allowed", `${input.name} is the only repository: without one there are no backups`, {
    hint: "Add another one first: homelab storage add disk, or homelab storage add s3.",
  });
};

/** Nobody is left without a way back by giving up a repository that works. */
const leavesBackups: Guard<RemoveInput> = async ({ site, input, signal }) => {
  const { repositories } = await site.storage();
  const all = await Promise.all(repositories.map((each) => readRepository(site, each, signal)));
  const usable = (name: (other: string) => boolean) =>
    all.some(({ repository, coverage }) => name(repository.name) && coverage.windows.length > 0);
  if (!usable((name) => name === input.name) || usable((name) => name !== input.name)) return;
  throw new HomelabError("not_allowed", `only ${input.name} has a backup that can be had back`, {
    hint: `Make one elsewhere first: homelab db backup full --repository ${all.find(({ repository }) => repository.name !== input.name)?.repository.name ?? "NAME"}`,
  });
};

const notePlace: Step<RemoveInput> = {
  name: "note-place",
  plan: ({ input }) => `look ${input.name} up`,
  async run({ site, input }) {
    const place = placeOf(await requireRepository(site, input.name));
    return { says: `it is at ${place}`, output: { place } };
  },
  deadline: 20,
};

/** What lies there stays; so does its passphrase, without which nobody could read it. */
const giveUp: Step<RemoveInput> = {
  name: "give-up",
  plan: ({ input }) => `send no more WAL and no backups to ${input.name}; what is there stays`,
  check: async ({ site, input }) => {
    const { repositories } = await site.storage();
    return !repositories.some(({ name }) => name === input.name) && (await isInUse(site));
  },
  async run({ site, input, output }) {
    await useStorage(site, withoutRepository(await site.storage(), input.name));
    return { says: `what is there stays: ${output<{ place: string }>("note-place")?.place ?? "its place"}` };
  },
  deadline: 20,
};

/** Gives a repository up: also one that is broken, so that archiving does not wait for it. */
export const storageRemove: Operation<RemoveInput> = {
  name: "storage.remove",
  summary: "Give a repository up; what is there stays where it is",
  title: ({ name }) => `Give repository ${name} up`,
  scope: "admin",
  route: { method: "DELETE", path: "/api/storage/{name}" },
  command: "storage remove",
  input: removeInput,
  confirm: ({ name }) => name,
  // A backup that goes on may be writing there.
  locks: () => ["cluster/storage", "backup"],
  guards: [exists, isNotLast, leavesBackups],
  steps: [notePlace, giveUp],
  result: async ({ site, input, output }) => ({
    repository: input.name,
    place: output<{ place: string }>("note-place")!.place,
    passphrase: site.topology.paths.storage,
  }),
};
