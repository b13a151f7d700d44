import { HomelabError } from "../../core/errors.ts";
import { isRoot } from "../../host/account.ts";
import { installPackages } from "../../host/debian.ts";
import { PACKAGES } from "../../host/machine.ts";
import type { Context } from "../context.ts";

/** The part of `up` that needs root, for a user with sudo. Takes no other packages than ours. */
export async function installPackagesCommand({ out }: Context, names: string[]): Promise<void> {
  if (!isRoot())
    throw new HomelabError("not_allowed", "only root installs packages", { hint: "homelab up asks sudo by itself." });
  const strange = names.filter((name) => !(name in PACKAGES));
  if (strange.length > 0) throw new HomelabError("usage", `not a package of ours: ${strange.join(", ")}`);
  await installPackages(names, (says) => out.note(`  ${says}`));
}
