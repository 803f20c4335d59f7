import type { Reporter, TestCase, TestModule, TestRunEndReason } from 'vitest/node';
import { targetSummary } from './target-summary.ts';

/** Closes a run with the databases that it ran on, and with one line that any tool can read. What failed outside a test (a file that does not load, a stray rejection) counts as failed. */
export default class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[], reason: TestRunEndReason): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      const tests: TestCase[] = [...module.children.allTests()];
      for (const test of tests) count[test.result().state] += 1;
      if (module.state() === 'failed' && tests.every((test) => test.result().state !== 'failed')) count.failed += 1;
    }
    // A set-up that failed leaves nothing to count.
    if (reason === 'failed' && count.failed === 0) count.failed = 1;
    const summary = targetSummary(modules);
    // After what the other reporters still have to say.
    process.once('exit', () => {
      for (const line of summary) process.stdout.write(`${line}\n`);
      process.stdout.write(`${count.passed} passed, ${count.failed + count.pending} failed, ${count.skipped} skipped\n`);
    });
  }
}
