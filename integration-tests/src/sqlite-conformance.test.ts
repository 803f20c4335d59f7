import { defineLeaseStoreConformance } from '@wb/conformance';
import { rmSync } from 'node:fs';
import { afterAll, describe, it } from 'vitest';
import target from './targets/sqlite.js';

defineLeaseStoreConformance({ describe, it }, target);

afterAll(() => {
  // A test runner may end its processes without their `exit`.
  rmSync(process.env['WB_TEST_SQLITE_DIRECTORY']!, { recursive: true, force: true });
});
