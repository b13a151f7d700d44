import type { BackupInfo } from "./info.ts";

/**
 * What we note beside a backup, in the repository itself: it is there also when everything else is lost. `run`: the
 * operation that made it; `by`: who asked; `note`: what a person wrote; `proven`: when it was restored, started and read;
 * `bad`: why it must not be relied on.
 */
const annotationKeys = ["run", "by", "note", "proven", "bad"] as const;
type AnnotationKey = (typeof annotationKeys)[number];

const PREFIX = "homelab-";

/** In the form that pgBackRest stores. */
export const toAnnotations = (notes: Partial<Record<AnnotationKey, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(notes).map(([key, value]) => [PREFIX + key, value]));

/** One of our notes; undefined when there is none. */
export const noteOf = ({ annotations }: Pick<BackupInfo, "annotations">, key: AnnotationKey): string | undefined =>
  annotations[PREFIX + key];

/** What speaks against a backup; undefined when nothing is known. */
export const faultOf = (backup: BackupInfo): string | undefined =>
  noteOf(backup, "bad") ?? (backup.isBroken ? "pages in it do not match their checksums" : undefined);
