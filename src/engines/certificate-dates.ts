import { X509Certificate } from "node:crypto";

/** Whole days until a PEM certificate ends; negative once it has. */
export const daysLeft = (certificate: string, now: Date): number =>
  Math.floor((new X509Certificate(certificate).validToDate.getTime() - now.getTime()) / 86_400_000);
