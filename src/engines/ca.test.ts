import { createPrivateKey, X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { isUsable, issueCertificate, makeAuthority, type CertificatePair } from "./ca.ts";
import { daysLeft } from "./certificate-dates.ts";

const NOW = new Date("2026-06-01T12:00:00Z");
const DAY = 86_400_000;
const later = (days: number): Date => new Date(NOW.getTime() + days * DAY);
const NAMES = { dns: ["nas.lan", "localhost"], ip: ["127.0.0.1", "::1", "192.168.1.10"] };

let authority: CertificatePair;
let node: CertificatePair;

beforeAll(async () => {
  authority = await makeAuthority("homelab", NOW);
  node = await issueCertificate(authority, { name: "nas", ...NAMES }, NOW);
});

describe("the authority", () => {
  test("is one, signs itself, and lasts ten years", () => {
    const certificate = new X509Certificate(authority.certificate);
    expect(certificate.ca).toBe(true);
    expect(certificate.subject).toBe("CN=homelab CA");
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(authority.key))).toBe(true);
    expect(daysLeft(authority.certificate, NOW)).toBe(3650);
  });

  test("is another one each time", async () => {
    const other = await makeAuthority("homelab", NOW);
    expect(new X509Certificate(other.certificate).serialNumber).not.toBe(
      new X509Certificate(authority.certificate).serialNumber,
    );
    expect(other.key).not.toBe(authority.key);
  });
});

describe("a node's certificate", () => {
  test("is signed by the authority, and can sign nothing itself", () => {
    const certificate = new X509Certificate(node.certificate);
    expect(certificate.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  });

  test("has a positive serial number of at most 20 bytes", () => {
    for (const pair of [authority, node])
      expect(new X509Certificate(pair.certificate).serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
  });

  test("is valid an hour before now, for clocks that differ, and for 397 days", () => {
    expect(new X509Certificate(node.certificate).validFromDate).toEqual(new Date(NOW.getTime() - 3_600_000));
    expect([daysLeft(node.certificate, NOW), daysLeft(node.certificate, later(400))]).toEqual([397, -3]);
  });
});

describe("isUsable", () => {
  test("says yes to what was just issued", () => {
    expect(isUsable(node, authority.certificate, NAMES, NOW)).toBe(true);
  });

  test("wants a new one once less than thirty days are left", () => {
    expect(isUsable(node, authority.certificate, NAMES, later(366))).toBe(true);
    expect(isUsable(node, authority.certificate, NAMES, later(368))).toBe(false);
  });

  test.each([
    ["a name", { ...NAMES, dns: [...NAMES.dns, "db.example"] }],
    ["an address", { ...NAMES, ip: [...NAMES.ip, "10.0.0.1"] }],
  ])("wants a new one for %s that it does not hold", (_name, names) => {
    expect(isUsable(node, authority.certificate, names, NOW)).toBe(false);
  });

  test("refuses another authority's, even of the same name, and another certificate's key", async () => {
    const other = await makeAuthority("homelab", NOW);
    const theirs = await issueCertificate(other, { name: "nas", ...NAMES }, NOW);
    expect(isUsable(theirs, authority.certificate, NAMES, NOW)).toBe(false);
    expect(isUsable({ certificate: node.certificate, key: theirs.key }, authority.certificate, NAMES, NOW)).toBe(false);
  });
});
