import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Closes a run with one line that any tool can read. What failed outside a test (a file that does not load, a stray rejection) counts as failed. */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      const tests: TestCase[] = [...module.children.allTests()];
      for (const test of tests) count[test.result().state] += 1;
      if (module.state() === 'failed' && tests.every((test) => test.result().state !== 'failed')) count.failed += 1;
    }
    // After what the other reporters still have to say.
    process.once('exit', () => {
      process.stdout.write(`${count.passed} passed, ${count.failed + count.pending} failed, ${count.skipped} skipped\n`);
    });
  }
}
