import { z } from "zod";

/** What a recovery is asked for; the rest is in the home, where the kit was unpacked. */
export const recoverInput = z.strictObject({
  to: z.iso.datetime().optional().describe("Back to that second; else to the last one that was archived"),
});

export type RecoverInput = z.infer<typeof recoverInput>;
