import type { ErrorRecord } from "../core/errors.ts";
import type { RunId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";

/** What became of a run. `running` covers one whose process died: it is resumed. */
export type RunState = "running" | "completed" | "failed" | "refused" | "cancelled";

/** What happened to a step; `entered` and `left` belong to a bracket. */
export type StepEvent = "started" | "done" | "skipped" | "undoing" | "undone" | "entered" | "left";

/** One line of a run's history; nothing is ever changed in it. */
export interface StepEntry {
  seq: number;
  at: string;
  step: string;
  event: StepEvent;
  /** A point of no return was passed. */
  barrier: boolean;
  output: Json;
  /** One sentence for a person. */
  says: string | null;
}

/** How far the current step is, measured. */
export interface Progress {
  done: number;
  total: number | null;
  unit: "bytes" | "rows" | "steps" | "seconds";
}

export interface Run {
  id: RunId;
  operation: string;
  /** What a person would call it, where the operation said so: "Create database shop". */
  title?: string;
  input: Json;
  state: RunState;
  /** The names of the steps as they were when the run began; frozen. */
  steps: string[];
  currentStep: string | null;
  progress: Progress | null;
  caller: string;
  createdAt: string;
  finishedAt: string | null;
  result: Json;
  error: ErrorRecord | null;
  cancelRequested: boolean;
}

/** Who runs a run: a process, recognised even after its pid was given to another. */
export interface Holder {
  pid: number;
  startTicks: string;
  bootId: string;
}

/** The right to go on with a run. Each takeover raises `epoch`, so that a process that was thought dead can do no more. */
export interface Claim {
  runId: RunId;
  epoch: number;
}

export interface NewRun {
  id: RunId;
  operation: string;
  /** What a person would call it. */
  title?: string;
  input: Json;
  steps: string[];
  /** Paths such as `cluster/database/shop`: a lock holds off itself, its ancestors and its descendants. */
  locks: string[];
  caller: string;
}

/** What came of asking for a new run. */
export type Admission =
  | { kind: "claimed"; claim: Claim }
  /** The very same operation with the same input is under way: follow that one. */
  | { kind: "same"; run: Run }
  /** Another run holds a lock. */
  | { kind: "locked"; lock: string; run: Run };

/** Seconds that a claim holds without being renewed. Longer than any single silence of a healthy runner. */
export const LEASE_SECONDS = 30;

/**
 * Remembers runs and their steps. Two stores pass one contract suite (journal.contract.ts).
 * Every call with a claim throws HomelabError `lease_lost` once another process has taken the run over.
 */
export interface Journal {
  /** Begins a run and takes its locks, in one. */
  begin(run: NewRun): Promise<Admission>;
  /** Takes over a run whose holder is gone; undefined while the holder lives or when the run is over. */
  takeOver(id: RunId): Promise<Claim | undefined>;
  renew(claim: Claim): Promise<void>;
  /** Gives a run up unfinished, so that another process can go on at once. */
  release(claim: Claim): Promise<void>;
  /** Adds a line. With `durable`, it survives a power cut when the call returns. */
  append(claim: Claim, entry: Pick<StepEntry, "step" | "event"> & Partial<StepEntry>, durable?: boolean): Promise<void>;
  progress(claim: Claim, progress: Progress | null): Promise<void>;
  finish(
    claim: Claim,
    state: Exclude<RunState, "running">,
    outcome: { result?: Json; error?: ErrorRecord },
  ): Promise<void>;
  get(id: RunId): Promise<Run | undefined>;
  entries(id: RunId, afterSeq?: number): Promise<StepEntry[]>;
  /** Newest first. */
  list(filter?: { state?: RunState; operation?: string; limit?: number; before?: RunId }): Promise<Run[]>;
  /** How many runs there are. */
  count(filter?: { state?: RunState; operation?: string }): Promise<number>;
  /** Runs that are under way but whose holder is gone. */
  interrupted(): Promise<Run[]>;
  /** Asks a run to stop at its next step; answers whether it still could. */
  requestCancel(id: RunId): Promise<boolean>;
  close(): Promise<void>;
}

/** Everything that a store knows of one run, as another store takes it over. */
export interface RunRecord {
  run: Run;
  entries: StepEntry[];
  /** Who holds it, or held it last within this epoch; null for a run of an older version that is over. */
  holder: Holder | null;
  epoch: number;
  /** Milliseconds since the epoch of time until which the claim holds; 0 once it was given up. */
  leaseUntil: number;
  locks: string[];
}

/** A store whose runs can be brought to another store, and which takes those of another. */
export interface ImportableJournal extends Journal {
  export(id: RunId): Promise<RunRecord | undefined>;
  /**
   * Writes down what another store knows of a run. Safe to repeat: lines are known by their number, a run that is over
   * stays over. A record of a later epoch replaces what is here. `stale`, and nothing is written, when this store knows
   * a later epoch, or the same one of another holder: then the run went on elsewhere. Unless it is `durable`, a power cut
   * may take it.
   */
  import(record: RunRecord, durable?: boolean): Promise<"written" | "stale">;
}

/** What keeps a new run from beginning. */
export type Obstacle = Exclude<Admission, { kind: "claimed" }>;

/** The store of one home, which remembers what the store of all hubs has not got yet. */
export interface LocalJournal extends ImportableJournal {
  /** What would keep this run from beginning now. */
  obstacle(run: NewRun): Promise<Obstacle | undefined>;
  /** The runs of which the other store may lack something, the oldest first. */
  unsynced(): Promise<RunId[]>;
  /** Notes whether the other store has everything of a run that is over. */
  noteSynced(id: RunId, synced: boolean): Promise<void>;
  /** Removes a run that goes on elsewhere in a later epoch than this one. */
  forget(claim: Claim): Promise<void>;
}
