import { HomelabError } from "../../core/errors.ts";
import { findAnchor, findDatabase, listDatabases } from "../../engines/postgres/databases.ts";
import { checkExtensions } from "../../engines/postgres/extensions.ts";
import { checkCreatedName, rolesOf } from "../../engines/postgres/names.ts";
import { findRoles } from "../../engines/postgres/roles.ts";
import type { Guard, Operation } from "../operation.ts";
import { createDatabaseStep } from "./create-database.ts";
import { makeRoles } from "./make-roles.ts";
import { openDatabase } from "./open-database.ts";
import { chooseOwner, ownerOf, provisionInput, type ProvisionInput } from "./provision-input.ts";
import { proveAppLogin } from "./prove-app-login.ts";
import { saveCredentials } from "./save-credentials.ts";

const nameIsUsable: Guard<ProvisionInput> = async ({ input }) => {
  checkCreatedName(input.name);
  if (input.owner) checkCreatedName(input.owner);
};

/** What others made keeps its name: we would take it over by accident otherwise. */
const isOursOrFree: Guard<ProvisionInput> = async ({ input, site }) => {
  const found = await findDatabase(await (await site.postgres()).admin(), input.name);
  if (found?.anchor && input.owner && input.owner !== found.anchor.owner) {
    throw new HomelabError("input_invalid", `${input.name} belongs to ${found.anchor.owner}, not to ${input.owner}`, {
      hint: "Leave --owner out: a database keeps its owner.",
    });
  }
  const { restored, replaced } = found?.anchor ?? {};
  if (restored || replaced) {
    throw new HomelabError(
      "database_exists",
      `${input.name} stands beside ${(restored ?? replaced)!.of}, and no app uses it`,
      {
        hint: "homelab db list-restores shows what can be done with it.",
      },
    );
  }
  if (!found || found.anchor) return;
  throw new HomelabError("database_exists", `the database ${input.name} exists and was not made by homelab`, {
    hint: "Choose another name.",
  });
};

/** A role of that name that others made may be a superuser, or somebody's login: it is neither used nor changed. */
const rolesAreOursOrFree: Guard<ProvisionInput> = async ({ input, site }) => {
  const admin = await (await site.postgres()).admin();
  const wanted = Object.values(rolesOf(input.name)).filter((role) => role !== input.owner);
  const known = [...(await findRoles(admin, wanted)).keys()];
  if (known.length === 0 || (await findAnchor(admin, input.name))?.database === input.name) return;
  throw new HomelabError("not_allowed", `the role ${known.join(", ")} exists and was not made by homelab`, {
    hint: "Choose another name, or rename that role.",
  });
};

const extensionsExist: Guard<ProvisionInput> = async ({ input, site }) => {
  if (input.extensions.length > 0) await checkExtensions(await (await site.postgres()).admin(), input.extensions);
};

/** A superuser must not own what an app writes to, nor a database be copied that is no template. */
const ownerAndTemplateFit: Guard<ProvisionInput> = async ({ input, site }) => {
  if (!input.owner && input.template === "template0") return;
  const admin = await (await site.postgres()).admin();
  const [owner] = await admin.query<{ unfit: boolean }>(
    "SELECT rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls OR rolcanlogin AS unfit FROM pg_catalog.pg_roles WHERE rolname = $1",
    [chooseOwner(input, undefined)],
  );
  if (input.owner && owner?.unfit) {
    throw new HomelabError("input_invalid", `the role ${input.owner} can log in or do more than own a database`, {
      hint: "Name a role without LOGIN, or a new one.",
    });
  }
  const [template] = await admin.query("SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1 AND datistemplate", [
    input.template,
  ]);
  if (!template)
    throw new HomelabError("not_found", `there is no template database ${input.template}`, {
      hint: "Leave --template out for an empty database.",
    });
};

/**
 * A role that is another database's own is renamed and dropped with that one, and who owns both reads in both. A deleted
 * database wants its roles' names back.
 */
const ownerIsNobodyElses: Guard<ProvisionInput> = async ({ input, site }) => {
  const { name, owner } = input;
  if (!owner || owner === rolesOf(name).owner) return;
  const databases = await listDatabases(await (await site.postgres()).admin());
  const names = databases.flatMap((row) => [row.name, row.anchor?.database ?? row.name]);
  const other = names.find((each) => each !== name && Object.values(rolesOf(each)).includes(owner));
  if (!other) return;
  throw new HomelabError("input_invalid", `the role ${owner} is the database ${other}'s own`, {
    hint: "Name a role that several databases may share, such as team.",
  });
};

/** A database with its roles, privileges and credentials, proven by a login through the pooler. */
export const databaseProvision: Operation<ProvisionInput> = {
  name: "database.provision",
  summary: "Create a database with its roles, and prove a login through the pooler",
  title: ({ name }) => `Create database ${name}`,
  scope: "provision",
  route: { method: "POST", path: "/api/databases" },
  command: "db create",
  input: provisionInput,
  locks: (input) => [`cluster/database/${input.name}`],
  guards: [nameIsUsable, isOursOrFree, rolesAreOursOrFree, ownerAndTemplateFit, ownerIsNobodyElses, extensionsExist],
  steps: [saveCredentials, makeRoles, createDatabaseStep, openDatabase, proveAppLogin],
  result: async (context) => ({ database: context.input.name, owner: await ownerOf(context) }),
};
