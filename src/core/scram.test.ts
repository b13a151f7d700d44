import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { scramVerifier, verifies } from "./scram.ts";

/** The exchange of RFC 7677, section 3: user "user", password "pencil". */
const RFC_SALT = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
const RFC_AUTH_MESSAGE = [
  "n=user,r=rOprNGfwEbeRWgbNEkqO",
  "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
].join(",");
const RFC_PROOF = Buffer.from("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "base64");
const RFC_SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

/** Does what a server does with a stored verifier and a client's proof (RFC 5802, section 3). */
function serverAccepts(verifier: string, proof: Buffer, authMessage: string): { accepted: boolean; signature: string } {
  const [, , keys = ""] = verifier.split("$");
  const [stored, server] = keys.split(":").map((key) => Buffer.from(key, "base64"));
  const clientSignature = createHmac("sha256", stored!).update(authMessage).digest();
  const clientKey = proof.map((byte, i) => byte ^ clientSignature[i]!);
  const accepted = createHash("sha256").update(clientKey).digest().equals(stored!);
  return { accepted, signature: createHmac("sha256", server!).update(authMessage).digest("base64") };
}

describe("scramVerifier", () => {
  test("is the value that PostgreSQL stores for a known salt and password", async () => {
    expect(await scramVerifier("pencil", RFC_SALT)).toBe(
      "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
    );
  });

  test("lets a server accept the proof of RFC 7677, and answer with its signature", async () => {
    const verifier = await scramVerifier("pencil", RFC_SALT);
    expect(serverAccepts(verifier, RFC_PROOF, RFC_AUTH_MESSAGE)).toEqual({ accepted: true, signature: RFC_SIGNATURE });
  });

  test("of another password makes a server refuse that proof", async () => {
    const verifier = await scramVerifier("pencil2", RFC_SALT);
    expect(serverAccepts(verifier, RFC_PROOF, RFC_AUTH_MESSAGE).accepted).toBe(false);
  });

  test("takes the number of iterations that it is told", async () => {
    const salted = pbkdf2Sync("secret", RFC_SALT, 5000, 32, "sha256");
    const serverKey = createHmac("sha256", salted).update("Server Key").digest("base64");
    const verifier = await scramVerifier("secret", RFC_SALT, 5000);
    expect(verifier.startsWith("SCRAM-SHA-256$5000:")).toBe(true);
    expect(verifier.endsWith(`:${serverKey}`)).toBe(true);
  });

  test("takes a new salt each time", async () => {
    expect(await scramVerifier("pencil")).not.toBe(await scramVerifier("pencil"));
  });

  test.each(["", "pässword", "tab\there", "newline\n", "zero\u0000"])(
    "refuses %j, which SASLprep would change",
    (bad) => expect(scramVerifier(bad)).rejects.toThrow(RangeError),
  );
});

describe("verifies", () => {
  test("knows the password of a verifier from another one", async () => {
    const verifier = await scramVerifier("correct horse");
    expect(await verifies("correct horse", verifier)).toBe(true);
    expect(await verifies("correct  horse", verifier)).toBe(false);
  });

  test.each([null, "", "md5abcdef", "SCRAM-SHA-1$4096:AAAA$AAAA:AAAA"])(
    "says no to the stored value %j",
    async (stored) => expect(await verifies("x", stored)).toBe(false),
  );
});
