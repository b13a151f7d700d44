import type { Services } from "../api/services.ts";
import { noteOf } from "../engines/pgbackrest/annotations.ts";
import { archiving, type Archiving } from "../reports/archiving.ts";
import { recoveryWindow } from "../reports/backups.ts";
import { goodBackups, type RepositoryCatalogue } from "../site/backup-catalogue.ts";
import { woundOf } from "../site/timetable.ts";

/** What was seen of the repositories last. Times are milliseconds since 1970. */
interface Sample {
  lastFull: number | undefined;
  last: number | undefined;
  proven: number | undefined;
  from: number | undefined;
  to: number | undefined;
  troubles: number;
}

/** The numbers of the backups and of archiving for /metrics: sampled, since a scrape is not to wait for a repository. */
export class BackupNumbers {
  readonly #services: Services;
  #archiving: Archiving | undefined;
  #sample: Sample | undefined;

  constructor(services: Services) {
    this.#services = services;
    const { metrics, site } = services;
    const seconds = (at: number | undefined) => (at === undefined ? undefined : at / 1000);
    const age = (at: number | undefined) => (at === undefined ? undefined : (site.clock.now() - at) / 1000);
    const gauge = (name: string, help: string, read: (sample: Sample) => number | undefined) =>
      metrics.gauge(name, help, () => this.#sample && read(this.#sample));
    gauge("backup_last_full_timestamp_seconds", "When the last good full backup ended", (s) => seconds(s.lastFull));
    gauge("backup_last_success_timestamp_seconds", "When the last good backup ended", (s) => seconds(s.last));
    gauge("backup_age_seconds", "Since the last good backup ended", (s) => age(s.last));
    gauge("backup_proven_timestamp_seconds", "When a backup was last restored for a proof", (s) => seconds(s.proven));
    gauge("recovery_point_age_seconds", "What would be lost with this machine now", (s) => age(s.to));
    gauge("recovery_window_seconds", "Any second of so many can be had back", ({ from, to }) =>
      from === undefined || to === undefined ? 0 : (to - from) / 1000,
    );
    gauge("backup_troubles", "Repositories that cannot be read or have something wrong", (s) => s.troubles);
    const archive = (name: string, help: string, read: (seen: Archiving) => number | undefined) =>
      metrics.gauge(name, help, () => this.#archiving && read(this.#archiving));
    archive("archive_last_age_seconds", "Since WAL was last archived", ({ last_archived_at: at }) =>
      at === null ? undefined : age(Date.parse(at)),
    );
    archive("archive_ready_segments", "Complete WAL segments that wait", (seen) => seen.waiting_segments);
    archive("wal_archive_queue_bytes", "Their bytes", (seen) => seen.waiting_bytes);
    archive("wal_free_bytes", "Free on the volume of the WAL", (seen) => seen.free_bytes);
  }

  /** Takes what was seen of the repositories, and looks at archiving. */
  async take(catalogues: RepositoryCatalogue[]): Promise<void> {
    this.#sample = sampleOf(catalogues);
    this.#archiving = await archiving(this.#services.site).catch(() => undefined);
  }
}

function sampleOf(catalogues: RepositoryCatalogue[]): Sample {
  const good = catalogues.flatMap(goodBackups);
  const newest = (moments: (string | null | undefined)[]) =>
    moments
      .map((at) => Date.parse(at ?? ""))
      .filter((at) => !Number.isNaN(at))
      .reduce<number | undefined>((most, at) => Math.max(most ?? 0, at), undefined);
  const { from, to } = recoveryWindow(catalogues);
  return {
    lastFull: newest(good.filter(({ type }) => type === "full").map(({ stoppedAt }) => stoppedAt)),
    last: newest(good.map(({ stoppedAt }) => stoppedAt)),
    proven: newest(good.map((backup) => noteOf(backup, "proven"))),
    from: newest([from]),
    to: newest([to]),
    troubles: catalogues.filter((each) => each.trouble !== undefined || woundOf(each) !== undefined).length,
  };
}
