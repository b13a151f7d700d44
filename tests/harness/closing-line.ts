import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Ends every run with one plain line that counts, for whoever reads the output without knowing vitest. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: ReturnType<TestCase["result"]>["state"]) =>
      tests.filter((test) => test.result().state === state).length;
    for (const test of tests.filter((each) => (each.diagnostic()?.retryCount ?? 0) > 0))
      console.log(`second try: ${test.module.relativeModuleId} > ${test.fullName}`);
    console.log(`\n${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`);
  }
}
