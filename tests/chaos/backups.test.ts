import { groups } from "./groups.ts";
import { chaosOf } from "./trials.ts";

chaosOf(groups.backups);
