/** Milliseconds between two reports. */
const EVERY = 300;

/** Passes on only so much as somebody can read: a cluster may have a hundred thousand tables, and each report is stored. */
export function paced(report: (done: number) => void): (done: number) => void {
  let next = 0;
  return (done) => {
    if (performance.now() < next) return;
    next = performance.now() + EVERY;
    report(done);
  };
}
