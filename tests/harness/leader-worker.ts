import { Leadership } from "../../src/hub/leadership.ts";
import { EtcdLeases, type EtcdAccess } from "../../src/engines/etcd/lease.ts";

/** What a candidate in a process of its own is started with. */
export interface LeaderWork {
  access: EtcdAccess;
  name: string;
  lockPath: string;
  aloneAllowed: boolean;
}

/** Stands for the leadership, and for as long as it leads says so every few milliseconds: `time revision`. */
if (import.meta.main) {
  const { access, name, lockPath, aloneAllowed } = JSON.parse(process.argv[2]!) as LeaderWork;
  const leadership = new Leadership({
    me: { name, url: `https://${name}` },
    scope: "test",
    node: name,
    leases: new EtcdLeases(access),
    lockPath,
    aloneAllowed,
  });
  leadership.start();
  setInterval(() => {
    // Read first: a term may run out between the two looks.
    const { revision = 0 } = leadership;
    if (leadership.isLeader) process.stdout.write(`${Date.now()} ${revision}\n`);
  }, 5);
  process.once("SIGTERM", () => void leadership.resign().then(() => process.exit(0)));
}
