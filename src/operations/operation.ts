import type { z } from "zod";
import type { RunId } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import type { Scope } from "../core/scope.ts";
import type { Progress } from "../journal/journal.ts";
import type { Site } from "../site/site.ts";

/** What a step has to say when it is done: one sentence, and what later steps or the result need. Never a secret: it is stored. */
interface StepResult {
  says: string;
  output?: Json;
}

/** What a step, a guard or a bracket sees. */
export interface StepContext<In> {
  input: In;
  site: Site;
  runId: RunId;
  /** Aborted when the deadline has passed, or when the caller goes away. */
  signal: AbortSignal;
  /** What an earlier step of this run answered. */
  output<T extends Json>(step: string): T | undefined;
  /** Measured progress; it also extends the step's deadline. */
  progress(progress: Progress): void;
}

/** One thing that is done, or already true. */
export interface Step<In> {
  kind?: "step";
  /** A verb phrase in kebab-case; frozen in the journal when the run begins. */
  name: string;
  /** What it would change, for a dry run. */
  plan(context: StepContext<In>): string | Promise<string>;
  /** Whether it is already true; then it is skipped. It decides before the journal does. Leave it out where it cannot be honest. */
  check?(context: StepContext<In>): Promise<boolean>;
  /** Safe to repeat: it may have run before, in part or whole. */
  run(context: StepContext<In>): Promise<StepResult>;
  /** Takes back what `run` did, in whole or in part; only where that is honest. */
  undo?(context: StepContext<In>): Promise<void>;
  /** A point of no return: once journaled, nothing before it is run or undone any more. */
  barrier?: true;
  /** Seconds without progress after which it is given up. */
  deadline: number;
}

/** A passing state around steps, such as paused pools: entered only if one of them has work, and always left. */
export interface Bracket<In> {
  kind: "bracket";
  name: string;
  enter(context: StepContext<In>): Promise<void>;
  exit(context: StepContext<In>): Promise<void>;
  steps: Step<In>[];
}

/** A reason to refuse before the first change: throws a HomelabError with a hint. */
export type Guard<In> = (context: StepContext<In>) => Promise<void>;

/** An operation's own place in the API. What stands in braces is a field of the input; the other fields are the body. */
interface Route {
  method: "POST" | "DELETE";
  path: `/api/${string}`;
}

/** A named thing that the platform does; the same name in its file, journal row, command, route and button. */
export interface Operation<In> {
  name: `${string}.${string}`;
  summary: string;
  /** What a person would call one run: "Delete database shop". */
  title(input: In): string;
  /** Who may ask for it. */
  scope: Scope;
  /** Null for what a machine does only for itself, by the command line. */
  route: Route | null;
  /** The command that asks for it: `db delete`. */
  command: string;
  input: z.ZodType<In>;
  /** What a person at a browser types before it is done, where it takes something away. */
  confirm?(input: In): string;
  /** What nobody else may touch meanwhile, as paths. */
  locks(input: In): string[];
  guards: Guard<In>[];
  steps: (Step<In> | Bracket<In>)[];
  /** The answer to the caller; stored, so never a secret. */
  result(context: StepContext<In>): Promise<Json>;
}

/** An operation as the registry keeps it: its input is checked by its schema when it is started. */
// The input's type differs from row to row; the schema is what guards it.
// oxlint-disable-next-line no-explicit-any
export type AnyOperation = Operation<any>;

export const isBracket = <In>(item: Step<In> | Bracket<In>): item is Bracket<In> => item.kind === "bracket";

/** The names of all steps, in order: brackets count by the steps inside them. */
export function stepNames(operation: AnyOperation): string[] {
  return operation.steps.flatMap((item) => (isBracket(item) ? item.steps.map((step) => step.name) : [item.name]));
}
