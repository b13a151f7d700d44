import { join } from "node:path";
import type { HomePaths } from "../cluster/home.ts";
import type { TlsFiles } from "../host/https.ts";

/** The files of the cluster's own CA and of this node's certificate. */
export interface CertificateFiles extends TlsFiles {
  caKey: string;
}

export const certificateFiles = (paths: HomePaths): CertificateFiles => ({
  ca: paths.caCertificate,
  caKey: join(paths.tls, "ca.key"),
  cert: join(paths.tls, "node.crt"),
  key: join(paths.tls, "node.key"),
});
