import { isUsable, issueCertificate, makeAuthority, type CertificatePair } from "../../engines/ca.ts";
import { certificateFiles, type CertificateFiles } from "../../engines/tls.ts";
import { readText, writeAtomic } from "../../host/files.ts";
import type { Step, StepContext } from "../operation.ts";

async function readPair(certificate: string, key: string): Promise<CertificatePair | undefined> {
  const [certificateText, keyText] = await Promise.all([readText(certificate), readText(key)]);
  return certificateText && keyText ? { certificate: certificateText, key: keyText } : undefined;
}

async function authorityOf(files: CertificateFiles, name: string, now: Date): Promise<CertificatePair> {
  const known = await readPair(files.ca, files.caKey);
  if (known) return known;
  const authority = await makeAuthority(name, now);
  await writeAtomic(files.caKey, authority.key);
  // Apps read it to verify the server; it is no secret.
  await writeAtomic(files.ca, authority.certificate, 0o644);
  return authority;
}

const now = ({ site }: StepContext<unknown>) => new Date(site.clock.now());

/** The cluster's own CA, and this node's certificate for every name and address that it is reached by. */
export const issueCertificates: Step<unknown> = {
  name: "issue-certificates",
  plan: ({ site }) =>
    `make a certificate for ${[...site.topology.certificateNames.dns, ...site.topology.certificateNames.ip].join(", ")}`,
  async check(context) {
    const { topology } = context.site;
    const files = certificateFiles(topology.paths);
    const [authority, node] = await Promise.all([readText(files.ca), readPair(files.cert, files.key)]);
    return Boolean(authority && node && isUsable(node, authority, topology.certificateNames, now(context)));
  },
  async run(context) {
    const { topology } = context.site;
    const files = certificateFiles(topology.paths);
    const authority = await authorityOf(files, topology.scope, now(context));
    const node = await issueCertificate(
      authority,
      { name: topology.node.name, ...topology.certificateNames },
      now(context),
    );
    await writeAtomic(files.key, node.key);
    await writeAtomic(files.cert, node.certificate);
    return { says: `certificate of ${topology.node.name} from the cluster's own CA` };
  },
  deadline: 20,
};
