import { Secret } from "../../core/secret.ts";
import { kitStatus, noteKit } from "../../site/kit-state.ts";
import { collectKit, sealKit } from "../../site/recovery-kit.ts";
import type { Handlers } from "../call.ts";
import type { kitContract } from "../contract/kit.ts";
import type { Services } from "../services.ts";

/** The recovery kit. */
export function kitHandlers({ site, topology, version }: Services): Handlers<typeof kitContract> {
  // One at a time: each takes 128 MiB for its passphrase.
  let turn: Promise<unknown> = Promise.resolve();
  const make = async (passphrase: Secret) => {
    const kit = await collectKit(topology.paths, { version, now: site.clock.now() });
    return { kit, text: await sealKit(kit, passphrase) };
  };
  return {
    "GET /api/platform/kit": async () => ({ status: 200, body: await kitStatus(topology.paths) }),
    "POST /api/platform/kit": async ({ body, audit }) => {
      const passphrase = new Secret(body.passphrase);
      const made = turn.then(() => make(passphrase));
      turn = made.catch(() => {});
      const { kit, text } = await made;
      await noteKit(topology.paths, kit);
      audit({ action: "platform.kit", target: kit.id, after: { databases: Object.keys(kit.credentials).length } });
      const name = `homelab-kit-${kit.settings.name}-${kit.made_at.slice(0, 10)}.age`;
      const headers = { "content-disposition": `attachment; filename="${name}"` };
      return { status: 200, text, type: "application/octet-stream", headers };
    },
  };
}
