/** One numbered change of the platform database's schema, and the way back. Frozen once it was released. */
export interface Revision {
  /** `NNN_name`, as its file is called; they are applied in this order. */
  name: string;
  /** Statements, run one after the other in one transaction. */
  up: readonly string[];
  /** What takes `up` back, and with it the data that only this revision can keep. */
  down: readonly string[];
}
