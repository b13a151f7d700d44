import { DatabaseSync } from "node:sqlite";

/**
 * Takes a lock that the kernel gives back when this process ends, however it ends (SQLite's exclusive lock is a POSIX
 * record lock). Answers undefined when another process holds it.
 */
export function takeLock(path: string): { release(): void } | undefined {
  const file = new DatabaseSync(path);
  try {
    file.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch {
    file.close();
    return undefined;
  }
  return { release: () => file.close() };
}
