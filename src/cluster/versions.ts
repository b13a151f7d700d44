/** An engine's version as numbers, most significant first (`3.0.2` → [3, 0, 2]). */
export type Version = number[];

export type EngineName = "postgresql" | "patroni" | "etcd" | "pgbouncer" | "haproxy" | "pgbackrest";
export type EngineVersions = Record<EngineName, Version>;

/** Reads the upstream version out of a package's or a program's version text (`1:15.18-0+deb12u1` → [15, 18]). */
export function parseVersion(text: string): Version {
  const match = /(?:^\d+:|[^\d.]|^)(\d+(?:\.\d+)+|\d+)/.exec(text.replace(/^\d+:/, ""));
  return match ? match[1]!.split(".").map(Number) : [];
}

/** Negative, zero or positive, as `a` is older than, equal to or newer than `b`; a missing part counts as zero. */
export function compareVersions(a: Version, b: Version): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export const formatVersion = (version: Version): string => version.join(".") || "unknown";

/** What a version below `below` lacks or endangers. */
export interface VersionRisk {
  engine: EngineName;
  /** PostgreSQL is patched on several majors at once: the row counts for this major alone. */
  major?: number;
  below: string;
  /** `refuse` stops before anything is changed; `warn` is shown by `health`. */
  effect: "refuse" | "warn";
  /** The row counts only for clusters with more than one data node. */
  manyNodesOnly?: true;
  says: string;
  source: string;
}

/** pg_restore runs code from a crafted archive. */
const CRAFTED_ARCHIVE = "CVE-2026-116314";

/** Versions that are known to lack or to endanger something: the measured cases and the published fixes. */
export const versionRisks: readonly VersionRisk[] = [
  {
    engine: "patroni",
    below: "4.0.7",
    effect: "refuse",
    manyNodesOnly: true,
    says: "a primary that returns from a partition overwrites the new leader's key, and acknowledged commits are lost",
    source: "patroni #2693 (fixed in 3.0.3); failsafe with etcd v3 fixed in 4.0.7",
  },
  {
    engine: "patroni",
    below: "4.0.7",
    effect: "warn",
    says: "safe for one data node only: a second one needs Patroni 4.0.7 (Debian 13)",
    source: "patroni #2693, release notes 3.0.4, 3.1.1, 4.0.7",
  },
  {
    engine: "pgbouncer",
    below: "1.21",
    effect: "warn",
    says: "no prepared statements in transaction mode: drivers must not name statements on the pooled URL",
    source: "PgBouncer 1.21 release notes (max_prepared_statements)",
  },
  {
    engine: "pgbouncer",
    below: "1.25.2",
    effect: "warn",
    says: "an unauthenticated client can crash the pooler with a crafted SCRAM packet",
    source: "CVE-2026-6664 (fixed in 1.25.2)",
  },
  {
    engine: "etcd",
    below: "3.5.28",
    effect: "warn",
    says: "its roles cannot be relied on (CVE-2026-33413); we never do: client certificates, and no address outside the cluster",
    source: "CVE-2026-33413, CVE-2026-33343",
  },
  ...[
    [15, "15.20"],
    [16, "16.16"],
    [17, "17.12"],
    [18, "18.7"],
  ].map(([major, below]) => ({
    engine: "postgresql" as const,
    major: major as number,
    below: below as string,
    effect: "warn" as const,
    says: "pg_restore runs code from a crafted archive: restore only dumps that you made yourself",
    source: CRAFTED_ARCHIVE,
  })),
  {
    engine: "postgresql",
    below: "15",
    effect: "refuse",
    says: "PostgreSQL 15 is the oldest that is supported here",
    source: "recovery_init_sync_method and public schema rules (release notes 14 and 15)",
  },
  {
    engine: "pgbackrest",
    below: "2.59",
    effect: "warn",
    says: "expire may remove another host's running backup",
    source: "pgBackRest 2.59.0 release notes",
  },
];

/** The rows of the table that hold for these versions and this many data nodes. */
export function risksOf(versions: Partial<EngineVersions>, dataNodes: number): VersionRisk[] {
  return versionRisks.filter((risk) => {
    const version = versions[risk.engine];
    if (!version?.length || (risk.manyNodesOnly && dataNodes < 2)) return false;
    if (risk.major !== undefined && version[0] !== risk.major) return false;
    return compareVersions(version, parseVersion(risk.below)) < 0;
  });
}

/** The first release of each major whose psql knows `\restrict`, which turns its own commands off (CVE-2025-8714). */
const RESTRICTED_PSQL: Version[] = [
  [13, 22],
  [14, 19],
  [15, 14],
  [16, 10],
  [17, 6],
];

/** Whether psql can be kept from obeying the commands in a file: one of them starts programs. */
export const canRestrictPsql = (version: Version): boolean =>
  (version[0] ?? 0) >= 18 ||
  RESTRICTED_PSQL.some((first) => first[0] === version[0] && compareVersions(version, first) >= 0);

/** Why a dump of somebody else must not be read by these programs; undefined where it may (faults 0.2). */
export const foreignDumpRisk = (version: Version): VersionRisk | undefined =>
  versionRisks.find(
    ({ source, major, below }) =>
      source === CRAFTED_ARCHIVE && major === version[0] && compareVersions(version, parseVersion(below)) < 0,
  );

/** What PgBouncer can do, by version. */
export interface PoolerCapabilities {
  /** 1.19: the lookup of passwords runs in one database, not in each. */
  authDbname: boolean;
  /** 1.21: prepared statements in transaction mode. */
  preparedStatements: boolean;
}

export function poolerCapabilities(pgbouncer: Version): PoolerCapabilities {
  return {
    authDbname: compareVersions(pgbouncer, [1, 19]) >= 0,
    preparedStatements: compareVersions(pgbouncer, [1, 21]) >= 0,
  };
}

/** What pgBackRest can do, by version. */
export interface RepositoryCapabilities {
  /** 2.46: small changes of a large file cost little (before, its help says "do not use in production"). */
  block: boolean;
  /** 2.39: small files are stored together; 1,000 databases have 300,000 of them. */
  bundle: boolean;
}

export function repositoryCapabilities(pgbackrest: Version): RepositoryCapabilities {
  return {
    block: compareVersions(pgbackrest, [2, 46]) >= 0,
    bundle: compareVersions(pgbackrest, [2, 39]) >= 0,
  };
}
