import { HomelabError } from "../../core/errors.ts";
import { isRoot } from "../../host/account.ts";
import { installPackages } from "../../host/debian.ts";
import { missingPackages, PACKAGES } from "../../host/machine.ts";
import type { Context } from "../context.ts";

/** The part of `up` that needs root, for a user with sudo. Takes no other packages than ours;
 * without a name, those that are missing. */
export async function installPackagesCommand({ out }: Context, names: string[]): Promise<void> {
  if (!isRoot())
    throw new HomelabError("not_allowed", "only root installs packages", { hint: "homelab up asks sudo by itself." });
  const strange = names.filter((name) => !(name in PACKAGES));
  if (strange.length > 0) throw new HomelabError("usage", `not a package of ours: ${strange.join(", ")}`);
  const wanted = names.length > 0 ? names : await missingPackages();
  if (wanted.length > 0) await installPackages(wanted, (says) => out.note(`  ${says}`));
}
