import { readFileSync, readdirSync, readlinkSync } from "node:fs";

/** A listening TCP socket of this machine, and the program that holds it where that can be seen. */
export interface Listener {
  port: number;
  /** The address as /proc writes it: all zeros means every address. */
  address: string;
  inode: string;
}

/** Every listening TCP port (proc(5), /proc/net/tcp: state 0A). */
export function listeners(): Listener[] {
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) => {
    let text = "";
    try {
      text = readFileSync(file, "utf8");
    } catch {
      // A kernel without IPv6.
    }
    return text
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === "0A")
      .map((fields) => {
        const [address = "", port = ""] = fields[1]!.split(":");
        return { address, port: parseInt(port, 16), inode: fields[9]! };
      });
  });
}

/** The name and pid of the program that holds a socket; undefined when another user's, which only root can see. */
export function holderOf(inode: string): string | undefined {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        if (readlinkSync(`/proc/${pid}/fd/${fd}`) !== `socket:[${inode}]`) continue;
        return `${programOf(pid)} (pid ${pid})`;
      }
    } catch {
      // It ended meanwhile, or it is not ours to look into.
    }
  }
  return undefined;
}

/** What a person calls a process. Node names its first thread, and that is what the kernel then calls all of it. */
function programOf(pid: string): string {
  const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  if (name !== "MainThread") return name;
  const [program = name] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  return program.split("/").at(-1)!;
}
