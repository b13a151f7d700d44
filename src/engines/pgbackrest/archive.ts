/** A segment of WAL in a repository. */
export interface ArchivedSegment {
  /** 24 hexadecimal digits: timeline, then the place in the log (PostgreSQL manual, 28.6). */
  name: string;
  /** When it arrived, in milliseconds since 1970. */
  at: number;
  bytes: number;
}

/** The WAL of one incarnation of PostgreSQL in one repository. */
export interface ArchivedWal {
  /** By name, the oldest place first. */
  segments: ArchivedSegment[];
  /** Timelines whose history is there, by number, with the file's path below the stanza's folder. */
  histories: Map<number, string>;
}

/** The archive of one repository, by pgBackRest's archive id (`15-1`). */
export type Archive = Map<string, ArchivedWal>;

interface Entry {
  type: string;
  size?: number;
  time?: number;
}

const SEGMENT = /^([^/]+)\/[0-9A-F]{16}\/([0-9A-F]{24})-[0-9a-f]{40}(\.\w+)?$/;
const HISTORY = /^([^/]+)\/([0-9A-F]{8})\.history(\.\w+)?$/;

/** Reads pgBackRest's listing of an archive (`repo-ls --recurse --output=json`). */
export function parseArchive(text: string): Archive {
  const archive: Archive = new Map();
  const of = (id: string): ArchivedWal => {
    const known = archive.get(id) ?? { segments: [], histories: new Map() };
    archive.set(id, known);
    return known;
  };
  for (const [path, entry] of Object.entries(JSON.parse(text) as Record<string, Entry>)) {
    const segment = SEGMENT.exec(path);
    if (segment)
      of(segment[1]!).segments.push({ name: segment[2]!, at: (entry.time ?? 0) * 1000, bytes: entry.size ?? 0 });
    const history = HISTORY.exec(path);
    if (history) of(history[1]!).histories.set(Number.parseInt(history[2]!, 16), path);
  }
  for (const { segments } of archive.values()) segments.sort((a, b) => (a.name < b.name ? -1 : 1));
  return archive;
}
