import { describe, expect, test } from "vitest";
import { parsePushErrors } from "./push-errors.ts";
import { faultIn, sentenceOf, troubleOf, type Fault } from "./trouble.ts";
import { faultOfS3 } from "./try-s3.ts";

const offsite = { name: "offsite", type: "s3", number: 2, endpoint: "s3.lan", port: 9000, bucket: "backups" } as const;
const local = { name: "local", type: "disk", number: 1, path: "/srv/backups" } as const;

/** An error of S3 as pgBackRest 2.45 tells it (`info`, code 99). */
const refusal = (status: string, code: string): string => `[ProtocolError] HTTP request failed with ${status}:
*** Path/Query ***:
GET /backups/?delimiter=%2F&list-type=2&prefix=homelab%2Fbackup%2F
*** Request Headers ***:
authorization: <redacted>
host: s3.lan
*** Response Content ***:
<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>${code}</Code><Message>${code}</Message></Error>`;

/** What pgBackRest 2.45 wrote when each was brought about, and what is meant. */
const SEEN: [Fault, string][] = [
  ["signature", refusal("403 (Forbidden)", "SignatureDoesNotMatch")],
  ["key-unknown", refusal("403 (Forbidden)", "InvalidAccessKeyId")],
  ["clock", refusal("403 (Forbidden)", "RequestTimeTooSkewed")],
  ["not-allowed", refusal("403 (Forbidden)", "AccessDenied")],
  ["bucket-missing", refusal("404 (Not Found)", "NoSuchBucket")],
  ["full", refusal("507 (Insufficient Storage)", "QuotaExceeded")],
  ["server-broken", refusal("500 (Internal Server Error)", "InternalError")],
  [
    "not-allowed",
    "ERROR: [039]: HTTP request failed with 403 (Forbidden):\n*** Path/Query ***:\nHEAD /backups/homelab",
  ],
  ["refused", "ERROR: [049]: unable to connect to 's3.lan:9000': [111] Connection refused"],
  ["name-unknown", "[HostConnectError] unable to get address for 's3.lan': [-2] Name or service not known"],
  [
    "certificate-expired",
    "[CryptoError] unable to verify certificate presented by 's3.lan:9000': [10] certificate has expired",
  ],
  [
    "certificate-unknown",
    "ERROR: [095]: unable to verify certificate presented by 's3.lan:9000': [20] unable to get local issuer certificate",
  ],
  [
    "certificate-other-name",
    "[CryptoError] unable to find hostname 's3.lan' in certificate common name or subject alternative names",
  ],
  ["no-tls", "[ServiceError] TLS error [1:167772427] wrong version number"],
  ["no-answer", "[FileReadError] timeout after 3000ms waiting for read from 's3.lan:9000'"],
  ["stanza-missing", "missing stanza path"],
  ["path-missing", "[PathOpenError] unable to list file info for path '/srv/backups/backup': [20] Not a directory"],
  ["full", "[FileWriteError] unable to write to '/srv/backups/archive/x.tmp': [28] No space left on device"],
  ["closed", "[PathOpenError] unable to list file info for path '/srv/backups': [13] Permission denied"],
];

const PUSH = `104
raised from local-1 protocol: archive-push command encountered error(s):
repo2: [HostConnectError] unable to load info file '/homelab/archive/homelab/archive.info' or '/homelab/archive/homelab/archive.info.copy':
HostConnectError: unable to connect to 's3.lan:9000': [111] Connection refused
HINT: has a stanza-create been performed?
repo3: [FileWriteError] unable to write to '/mnt/usb/x': [28] No space left on device
[CommandError] on retry after 0ms`;

describe("what pgBackRest says", () => {
  test.each(SEEN)("is %s", (fault, text) => {
    expect(faultIn(text)).toBe(fault);
  });

  test("is told in words, with what can be done, and never as it came", () => {
    for (const [, text] of SEEN)
      for (const about of [offsite, local]) {
        const { says, hint } = troubleOf(text, about);
        expect(says).not.toMatch(/ERROR|\[\d+\]|\n|HTTP/);
        expect(hint).toMatch(/\S/);
      }
    expect(troubleOf(SEEN[8]![1], offsite).says).toBe("s3.lan:9000 refuses connections: nothing listens there");
    expect(troubleOf(SEEN[8]![1], offsite).hint).toContain("homelab storage test offsite");
  });

  test("is repeated on one line where nobody knows what it means", () => {
    const { says, hint } = troubleOf("ERROR: [029]: something new\nwith more of it", local);
    expect(says).toBe("something new");
    expect(hint).toContain("homelab logs pgbackrest");
    expect(troubleOf("", local).says).toBe("it cannot be read");
  });

  test("a repository that is only about to be one is not tested by its name", () => {
    const { number: _none, ...candidate } = offsite;
    expect(sentenceOf("refused", candidate).hint).not.toContain("storage test");
  });
});

describe("what archiving noted", () => {
  test("belongs to the repository that each line names", () => {
    const found = parsePushErrors(PUSH);
    expect([...found.keys()]).toEqual([2, 3]);
    expect(faultIn(found.get(2)!)).toBe("refused");
    expect(faultIn(found.get(3)!)).toBe("full");
  });

  test("is nothing where nothing went wrong", () => {
    expect(parsePushErrors("").size).toBe(0);
  });
});

describe("what a request to S3 meets", () => {
  const service = (status: number, code: string, body = "") => ({ status, code, body });
  const CASES: [Fault | undefined, object][] = [
    ["name-unknown", { code: "ENOTFOUND" }],
    ["certificate-expired", { code: "CERT_HAS_EXPIRED" }],
    ["refused", { cause: { code: "ECONNREFUSED" } }],
    ["signature", service(403, "SignatureDoesNotMatch")],
    ["clock", service(403, "Unknown", "<Error><Code>RequestTimeTooSkewed</Code></Error>")],
    ["not-allowed", service(403, "Unknown")],
    ["bucket-missing", service(404, "Unknown")],
    ["server-broken", service(503, "SlowDown")],
    [undefined, new Error("something else")],
  ];

  test.each(CASES)("is %s", (fault, error) => {
    expect(faultOfS3(error)).toBe(fault);
  });
});
