import { X509Certificate } from "node:crypto";

/** A certificate with fewer days than this is found wanting, and renewed. */
export const RENEW_DAYS = 30;

/** Whole days until a PEM certificate ends; negative once it has. */
export const daysLeft = (certificate: string, now: Date): number =>
  Math.floor((new X509Certificate(certificate).validToDate.getTime() - now.getTime()) / 86_400_000);
