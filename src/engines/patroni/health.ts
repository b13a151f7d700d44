import { existsSync } from "node:fs";
import type { Topology } from "../../cluster/topology.ts";
import type { Health } from "../../core/health.ts";
import { errorMessage } from "../../core/errors.ts";
import { exists } from "../../host/files.ts";
import { lastLogLine } from "../logs.ts";
import { patroniMember } from "./client.ts";

/** Whether Patroni runs, sees etcd, and holds a running PostgreSQL. */
export async function patroniHealth(topology: Topology): Promise<Health> {
  try {
    const member = await patroniMember(topology);
    const facts = {
      role: member.role,
      state: member.state,
      timeline: member.timeline ?? null,
      watchdog: existsSync("/dev/watchdog"),
    };
    if (member.state !== "running") {
      const why = await whyNotRunning(topology);
      const says = `PostgreSQL is ${member.state}${why ? `. ${why}` : ""}`;
      return { state: "down", says, facts, hint: "homelab logs postgres shows more." };
    }
    if (member.pending_restart) {
      return {
        state: "degraded",
        says: "settings wait for a restart of PostgreSQL",
        facts,
        hint: "homelab restart postgres",
      };
    }
    return {
      state: "ok",
      says: `${member.role === "replica" ? "replica" : "primary"}, timeline ${member.timeline ?? "?"}`,
      facts,
    };
  } catch (error) {
    if (await exists(topology.paths.replacing))
      return {
        state: "down",
        says: "held back: the data directory is being replaced",
        hint: "homelab op list shows by which operation; homelab op watch follows it.",
      };
    return {
      state: "down",
      says: `Patroni does not answer: ${errorMessage(error)}`,
      hint: "homelab logs patroni shows why.",
    };
  }
}

/** A start that fails early is told on standard error, which is Patroni's log; a later end in PostgreSQL's own. */
async function whyNotRunning({ paths }: Topology): Promise<string | undefined> {
  const cause = /(FATAL|PANIC): +(?!the database system is (starting up|shutting down))/;
  return (await lastLogLine(paths, "patroni", cause)) ?? lastLogLine(paths, "postgres", cause);
}
