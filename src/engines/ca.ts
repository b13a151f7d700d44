import "reflect-metadata";
import { createPrivateKey, randomBytes, webcrypto, X509Certificate as NodeCertificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { RENEW_DAYS } from "./certificate-dates.ts";

x509.cryptoProvider.set(webcrypto);

const KEY = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;

/** The CA outlives every certificate that it will sign. */
const CA_DAYS = 3650;
/** A node's certificate is renewed by the next converge once less than RENEW_DAYS are left. */
const NODE_DAYS = 397;

/** A certificate and its key, both PEM. */
export interface CertificatePair {
  certificate: string;
  key: string;
}

/** Makes the cluster's own certificate authority, in this process: no key ever passes an argument or a pipe. */
export async function makeAuthority(name: string, now: Date): Promise<CertificatePair> {
  const keys = await webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: [{ CN: [`${name} CA`] }],
    ...validity(now, CA_DAYS),
    signingAlgorithm: KEY,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await keyPem(keys.privateKey) };
}

/** Issues a node's certificate: server and client at once, for these names. */
export async function issueCertificate(
  authority: CertificatePair,
  subject: { name: string; dns: string[]; ip: string[] },
  now: Date,
): Promise<CertificatePair> {
  const keys = await webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const issuer = new x509.X509Certificate(authority.certificate);
  const names = [
    ...subject.dns.map((value) => ({ type: "dns" as const, value })),
    ...subject.ip.map((value) => ({ type: "ip" as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: [{ CN: [subject.name] }],
    issuer: issuer.subject,
    ...validity(now, NODE_DAYS),
    signingAlgorithm: KEY,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyAgreement, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(names),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await keyPem(keys.privateKey) };
}

/** Whether a certificate comes from this authority, holds all the names, fits its key and stays valid long enough. */
export function isUsable(
  pair: CertificatePair,
  authority: string,
  names: { dns: string[]; ip: string[] },
  now: Date,
): boolean {
  const certificate = new NodeCertificate(pair.certificate);
  const lasts = certificate.validToDate.getTime() - now.getTime() > RENEW_DAYS * DAY;
  const signed =
    certificate.checkIssued(new NodeCertificate(authority)) && certificate.checkPrivateKey(createPrivateKey(pair.key));
  const held =
    names.dns.every((name) => certificate.checkHost(name)) && names.ip.every((ip) => certificate.checkIP(ip));
  return lasts && signed && held;
}

/** An hour back, for clocks that differ. */
const validity = (now: Date, days: number) => ({
  notBefore: new Date(now.getTime() - DAY / 24),
  notAfter: new Date(now.getTime() + days * DAY),
});

/** 126 random bits; the leading byte stays below 0x80, so that the number is positive (RFC 5280, 4.1.2.2). */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString("hex");
}

const pem = (certificate: x509.X509Certificate): string => `${certificate.toString("pem")}\n`;

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const body = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${body.match(/.{1,64}/g)!.join("\n")}\n-----END PRIVATE KEY-----\n`;
}

async function importKey(key: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(key).export({ format: "der", type: "pkcs8" });
  return webcrypto.subtle.importKey("pkcs8", der, KEY, true, ["sign"]);
}
