/** What pg_dump's custom format says of itself: read by us, since pg_restore must not be let at a foreign archive for that. */
export interface ArchiveContents {
  /** The database that was dumped. */
  database: string;
  serverVersion: string;
  dumpVersion: string;
  entries: ArchiveEntry[];
}

/** A line of an archive's table of contents. */
export interface ArchiveEntry {
  id: number;
  /** What it is: `TABLE`, `TABLE DATA`, `EXTENSION`. */
  kind: string;
  /** Its name; of a comment, what it is on: `EXTENSION vector`. */
  tag: string;
  schema: string | null;
  hasData: boolean;
}

/** It is not an archive of pg_dump, or not a whole one. */
export class BrokenArchive extends Error {}

/** Versions of the format: 1.12 is PostgreSQL 9.4 to 10, 1.16 is 17 (pg_backup_archiver.h). */
const OLDEST = 12;
const NEWEST = 16;

const CUSTOM = 1;
const NO_DATA = 3;
const BLOCK_DATA = 1;
const BLOCK_BLOBS = 3;

/** Bytes of a name that we take; a definition is passed over and may be longer. */
const LONGEST_NAME = 1024 * 1024;
const MOST_ENTRIES = 5_000_000;

/** Asks for so many bytes; for a number below zero they are passed over. */
type Reading<T> = Generator<number, T, Buffer>;

interface Sizes {
  int: number;
  offset: number;
}

/**
 * Reads an archive as it streams by, from its head to its last block: that every table's data is there and ends, and
 * that nothing follows. No byte more than a name is kept.
 */
export class ArchiveCheck {
  readonly #reading = readArchive((contents) => (this.contents = contents));
  /** Known once the table of contents has come by. */
  contents: ArchiveContents | undefined;
  #wanted = 0;
  #held: Buffer[] = [];
  #size = 0;
  #isWhole = false;
  /** Bytes that came by. */
  bytes = 0;

  constructor() {
    this.#ask(undefined);
  }

  /** The next bytes. @throws BrokenArchive */
  push(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.#held.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#size += chunk.length;
    while (this.#size >= Math.abs(this.#wanted)) if (!this.#feed()) return;
    if (this.#wanted < 0 && this.#size > 0) this.#pass(this.#size);
  }

  /** There are no more. @throws BrokenArchive when there should be */
  end(): ArchiveContents {
    if (this.#wanted === END_OR_BLOCK && this.#size === 0) this.#ask(Buffer.alloc(0));
    if (this.#isWhole) return this.contents!;
    throw new BrokenArchive(`it breaks off after ${this.bytes} bytes`);
  }

  /** Whether the reading goes on. */
  #feed(): boolean {
    if (this.#wanted >= 0) return this.#ask(this.#take(this.#wanted));
    this.#pass(-this.#wanted);
    return this.#ask(Buffer.alloc(0));
  }

  #ask(bytes: Buffer | undefined): boolean {
    const next = bytes === undefined ? this.#reading.next() : this.#reading.next(bytes);
    if (!next.done) {
      this.#wanted = next.value;
      return true;
    }
    this.#isWhole = true;
    if (this.#size > 0) throw new BrokenArchive("something follows its end");
    return false;
  }

  #take(count: number): Buffer {
    const all = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    this.#held = all.length > count ? [all.subarray(count)] : [];
    this.#size -= count;
    return all.subarray(0, count);
  }

  #pass(count: number): void {
    this.#wanted += count;
    this.#size -= count;
    for (let left = count; left > 0;) {
      const [first] = this.#held;
      if (first!.length > left) {
        this.#held[0] = first!.subarray(left);
        return;
      }
      left -= first!.length;
      this.#held.shift();
    }
  }
}

/** One byte, or the end. */
const END_OR_BLOCK = 1;

function* readArchive(onContents: (contents: ArchiveContents) => void): Reading<void> {
  if ((yield 5).toString("latin1") !== "PGDMP") throw new BrokenArchive("it is no archive of pg_dump's custom format");
  const [major, minor] = [yield* byte(), yield* byte()];
  yield* byte();
  if (major !== 1 || minor < OLDEST || minor > NEWEST)
    throw new BrokenArchive(`its format is version ${major}.${minor}, which is not known here`);
  const sizes: Sizes = { int: yield* byte(), offset: yield* byte() };
  if (![4, 8].includes(sizes.int) || ![4, 8].includes(sizes.offset))
    throw new BrokenArchive("its head is no head of pg_dump");
  if ((yield* byte()) !== CUSTOM) throw new BrokenArchive("it is no archive of pg_dump's custom format");
  if (minor >= 15) yield* byte();
  else yield* int(sizes);
  // When it was made: seven numbers.
  for (let i = 0; i < 7; i++) yield* int(sizes);
  const [database, serverVersion, dumpVersion] = [yield* text(sizes), yield* text(sizes), yield* text(sizes)];
  const entries = yield* readEntries(sizes, minor);
  onContents({
    database: database ?? "",
    serverVersion: serverVersion ?? "",
    dumpVersion: dumpVersion ?? "",
    entries,
  });
  yield* readBlocks(sizes, entries);
}

/** An archive that streams by, unchanged; at its end it was a whole one. @throws BrokenArchive */
export async function* checkedArchive(
  source: AsyncIterable<Uint8Array>,
  check = new ArchiveCheck(),
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    check.push(chunk);
    yield chunk;
  }
  check.end();
}

/** An archive's table of contents; its data is not read. @throws BrokenArchive */
export async function readContents(source: AsyncIterable<Uint8Array>): Promise<ArchiveContents> {
  const check = new ArchiveCheck();
  for await (const chunk of source) {
    check.push(chunk);
    if (check.contents) return check.contents;
  }
  return check.end();
}

function* readEntries(sizes: Sizes, minor: number): Reading<ArchiveEntry[]> {
  const count = yield* int(sizes);
  if (count < 0 || count > MOST_ENTRIES) throw new BrokenArchive("its table of contents is broken");
  const entries: ArchiveEntry[] = [];
  for (let i = 0; i < count; i++) entries.push(yield* readEntry(sizes, minor));
  return entries;
}

/** In the order of WriteToc (pg_backup_archiver.c). */
function* readEntry(sizes: Sizes, minor: number): Reading<ArchiveEntry> {
  const id = yield* int(sizes);
  const hadDumper = (yield* int(sizes)) !== 0;
  yield* passText(sizes);
  yield* passText(sizes);
  const [tag, kind] = [yield* text(sizes), yield* text(sizes)];
  yield* int(sizes);
  // Definition, how to drop it, how to copy it.
  for (let i = 0; i < 3; i++) yield* passText(sizes);
  const schema = yield* text(sizes);
  yield* passText(sizes);
  if (minor >= 14) yield* passText(sizes);
  if (minor >= 16) yield* int(sizes);
  yield* passText(sizes);
  yield* passText(sizes);
  while (yield* passText(sizes));
  const state = yield* byte();
  yield -sizes.offset;
  return { id, kind: kind ?? "", tag: tag ?? "", schema, hasData: hadDumper && state !== NO_DATA };
}

function* readBlocks(sizes: Sizes, entries: ArchiveEntry[]): Reading<void> {
  const missing = new Map(entries.filter(({ hasData }) => hasData).map((entry) => [entry.id, entry]));
  for (;;) {
    const kind = (yield END_OR_BLOCK)[0];
    if (kind === undefined) break;
    if (kind !== BLOCK_DATA && kind !== BLOCK_BLOBS) throw new BrokenArchive("one of its blocks is broken");
    missing.delete(yield* int(sizes));
    if (kind === BLOCK_DATA) yield* passData(sizes);
    else while ((yield* int(sizes)) !== 0) yield* passData(sizes);
  }
  const [first] = missing.values();
  if (first) throw new BrokenArchive(`the data of ${first.schema ?? ""}.${first.tag} is not in it`);
}

function* passData(sizes: Sizes): Reading<void> {
  for (let length = yield* int(sizes); length !== 0; length = yield* int(sizes)) {
    if (length < 0) throw new BrokenArchive("one of its blocks is broken");
    yield -length;
  }
}

function* byte(): Reading<number> {
  return (yield 1)[0]!;
}

/** A byte for the sign, and the digits from the lowest on. */
function* int({ int: size }: Sizes): Reading<number> {
  const bytes = yield size + 1;
  let value = 0;
  for (let i = size; i > 0; i--) value = value * 256 + bytes[i]!;
  return bytes[0] ? -value : value;
}

function* text(sizes: Sizes): Reading<string | null> {
  const length = yield* int(sizes);
  if (length < 0) return null;
  if (length > LONGEST_NAME) throw new BrokenArchive("its table of contents is broken");
  return length === 0 ? "" : (yield length).toString("utf8");
}

/** Whether there was one. */
function* passText(sizes: Sizes): Reading<boolean> {
  const length = yield* int(sizes);
  if (length > 0) yield -length;
  return length >= 0;
}
