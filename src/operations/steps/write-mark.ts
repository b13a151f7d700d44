import type { Json } from "../../core/json.ts";
import { makeMark, type MarkSummary } from "../../site/mark.ts";
import { paced } from "../paced.ts";
import type { Step, StepContext } from "../operation.ts";

/** Reads what the tables hold, and writes it down in the cluster: what is restored later is compared with it. */
export const writeMark: Step<unknown> = {
  name: "write-mark",
  plan: () => "read the tables, within a budget, and write down in the cluster what they hold",
  async run({ site, runId, progress }) {
    let read = 0;
    const report = paced((done) => progress({ done, total: null, unit: "bytes" }));
    const mark = await makeMark(site, runId, { onTable: (bytes) => report((read += bytes)) });
    return { says: inWords(mark), output: mark as unknown as Json };
  },
  deadline: 300,
};

/** What this run's mark is about. */
export const markOf = ({ output }: StepContext<unknown>): MarkSummary | undefined =>
  (output("write-mark") as unknown as MarkSummary | null) ?? undefined;

function inWords({ tables, databases, sampled, unread }: MarkSummary): string {
  const says = [`${tables} tables of ${databases} databases`];
  if (sampled > 0) says.push(`${sampled} of them by samples`);
  if (unread > 0) says.push(`${unread} not read`);
  return says.join(", ");
}
