import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareVersions,
  formatVersion,
  parseVersion,
  poolerCapabilities,
  risksOf,
  versionRisks,
  type EngineVersions,
} from "./versions.ts";

describe("parseVersion", () => {
  test.each([
    ["15.18-0+deb12u1", [15, 18]],
    ["1:15.18-0+deb12u1", [15, 18]],
    ["17.12-0+deb13u1", [17, 12]],
    ["3.0.2-1", [3, 0, 2]],
    ["4.0.7-1", [4, 0, 7]],
    ["3.4.23-4+b4", [3, 4, 23]],
    ["3.5.16-4", [3, 5, 16]],
    ["1.18.0-1+b1", [1, 18, 0]],
    ["1.24.1-1", [1, 24, 1]],
    ["2.6.12-1+deb12u2", [2, 6, 12]],
    ["2.45-1", [2, 45]],
    ["18~beta1-1", [18]],
    ["18", [18]],
    ["PgBouncer 1.25.2", [1, 25, 2]],
    ["etcd Version: 3.4.23", [3, 4, 23]],
    ["postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", [15, 18]],
    ["HAProxy version 2.6.12-1+deb12u2 2024/09/01", [2, 6, 12]],
    ["pgBackRest 2.45", [2, 45]],
    ["v3.5.28", [3, 5, 28]],
    ["", []],
    ["unknown", []],
  ])("reads %j as %j", (text, version) => expect(parseVersion(text)).toEqual(version));

  test("reads back what formatVersion writes", () => {
    const version = fc.array(fc.integer({ min: 0, max: 9999 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(version, (parts) => {
        expect(parseVersion(formatVersion(parts))).toEqual(parts);
      }),
    );
    expect(formatVersion([])).toBe("unknown");
  });
});

describe("compareVersions", () => {
  test.each([
    [[1, 9], [1, 10], -1],
    [[3, 0, 2], [3, 0, 2, 0], 0],
    [[3, 1], [3, 0, 9], 1],
    [[15], [15, 1], -1],
    [[], [0, 0], 0],
  ])("%j to %j is %d", (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
    expect(Math.sign(compareVersions(b, a))).toBe(sign === 0 ? 0 : -sign);
  });
});

const current: EngineVersions = {
  postgresql: [17, 12],
  patroni: [4, 0, 7],
  etcd: [3, 5, 28],
  pgbouncer: [1, 25, 2],
  haproxy: [3, 0],
  pgbackrest: [2, 59],
};

describe("the table of versions", () => {
  test("gives each row a version that can be read, a sentence and a source", () => {
    for (const risk of versionRisks) {
      expect(parseVersion(risk.below).join(".")).toBe(risk.below);
      expect(risk.says.length).toBeGreaterThan(20);
      expect(risk.source).toMatch(/CVE-\d{4}-\d+|#\d+|release notes/);
    }
  });

  test("finds nothing wrong with versions that hold all fixes", () => {
    expect(risksOf(current, 1)).toEqual([]);
    expect(risksOf(current, 3)).toEqual([]);
  });

  test("refuses Patroni 3.0.2 with two data nodes, since acknowledged commits would be lost", () => {
    const risks = risksOf({ ...current, patroni: [3, 0, 2] }, 2);
    expect(risks.filter(({ effect }) => effect === "refuse")).toMatchObject([{ engine: "patroni", below: "4.0.7" }]);
  });

  test("only warns of Patroni 3.0.2 with one", () => {
    expect(risksOf({ ...current, patroni: [3, 0, 2] }, 1).map(({ effect }) => effect)).toEqual(["warn"]);
  });

  test.each([
    ["postgresql", [14, 20], "refuse"],
    ["postgresql", [15, 19], "warn"],
    ["postgresql", [17, 11], "warn"],
    ["postgresql", [18, 6], "warn"],
    ["pgbouncer", [1, 20], "warn"],
    ["pgbouncer", [1, 25, 1], "warn"],
    ["etcd", [3, 4, 23], "warn"],
    ["pgbackrest", [2, 45], "warn"],
  ] as const)("on one node %s %j leads to: %s", (engine, version, effect) => {
    const risks = risksOf({ ...current, [engine]: version }, 1);
    expect(risks.length).toBeGreaterThan(0);
    expect(risks.every((risk) => risk.engine === engine)).toBe(true);
    expect(risks.map((risk) => risk.effect)).toContain(effect);
  });

  test.each([
    [15, 20],
    [16, 16],
    [17, 12],
    [18, 7],
  ])("counts the fix of each major for itself: %d.%d is fine", (...postgresql) => {
    expect(risksOf({ ...current, postgresql }, 1)).toEqual([]);
  });

  test("says nothing of an engine whose version is unknown", () => {
    expect(risksOf({ patroni: [], etcd: undefined }, 3)).toEqual([]);
  });
});

test.each([
  [[1, 18, 0], false, false],
  [[1, 19, 0], true, false],
  [[1, 20, 9], true, false],
  [[1, 21], true, true],
  [[2], true, true],
])("PgBouncer %j: auth_dbname %s, prepared statements %s", (version, authDbname, preparedStatements) => {
  expect(poolerCapabilities(version)).toEqual({ authDbname, preparedStatements });
});
