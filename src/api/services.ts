import type { Audit } from "../accounts/audit.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { Origins } from "../config/layers.ts";
import type { Settings } from "../config/settings.ts";
import type { Topology } from "../cluster/topology.ts";
import type { Journal } from "../journal/journal.ts";
import type { Desk } from "../operations/desk.ts";
import type { Site } from "../site/site.ts";
import type { PlatformDatabase } from "../store/database.ts";
import type { Feed } from "./feed.ts";
import type { Idempotency } from "./idempotency.ts";
import type { Metrics } from "./metrics.ts";
import type { Remembered } from "./remembered.ts";

/** Who leads: the only hub that changes anything. */
interface LeaderView {
  isLeader: boolean;
  /** Where the leader takes what others forward to it. */
  leader(): { name: string; url: string } | undefined;
}

/** What the routes work with. Every one is an argument: the same routes serve the hub, and a command without one. */
export interface Services {
  site: Site;
  topology: Topology;
  settings: Settings;
  /** Where each setting comes from. */
  origins: Origins;
  version: string;
  journal: Journal;
  desk: Desk;
  remembered: Remembered;
  metrics: Metrics;
  feed: Feed;
  idempotency: Idempotency;
  leadership: LeaderView;
  /** Missing where a command works without the hub: then there is one caller, and he is the owner. */
  accounts: Accounts | undefined;
  audit: Audit;
  platform: PlatformDatabase | undefined;
}
