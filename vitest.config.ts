import { defineConfig } from 'vitest/config';

/** Makes every workspace package mean its source, so that tests never run against an old build. */
const conditions = ['@wb/source', 'node', 'default'];
const source = { resolve: { conditions }, ssr: { resolve: { conditions } } };

export default defineConfig({
  test: {
    reporters: ['default', './scripts/closing-line-reporter.ts'],
    projects: [
      {
        ...source,
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'examples/*/src/**/*.test.ts',
            'integration-tests/faults/tests/**/*.test.ts',
            'benchmarks/src/**/*.test.ts',
          ],
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...source,
        test: { name: 'simulation', include: ['packages/*/simulation/**/*.test.ts'], sequence: { groupOrder: 1 }, testTimeout: 300_000 },
      },
      {
        ...source,
        test: {
          // Real time, so not beside the simulation, which takes all of it.
          name: 'conformance',
          include: ['packages/conformance/tests/**/*.test.ts'],
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
        },
      },
      {
        // Real processes, of the built packages: they need the machine for themselves, so one file at a time, after everything else.
        test: {
          name: 'integration',
          globalSetup: ['integration-tests/src/servers/global-setup.ts'],
          include: ['integration-tests/src/**/*.test.ts', 'examples/*/tests/**/*.test.ts'],
          sequence: { groupOrder: 3 },
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
