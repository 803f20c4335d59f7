import { defineLeaseStoreConformance } from '@wb/conformance';
import { describe, expect, it } from 'vitest';
import target from './targets/postgres.js';

// Another version than that of the image, where one is installed: see servers/global-setup.ts.
const url = process.env['WB_TEST_POSTGRES_INSTALLED_URL'];

if (url === undefined) {
  it('there is only one version of PostgreSQL on this machine', () => {
    expect(url).toBeUndefined();
  });
} else {
  // The target, and the processes that its cases start, look here.
  process.env['WB_TEST_POSTGRES_URL'] = url;
  defineLeaseStoreConformance({ describe, it }, { ...target, name: `${target.name}, installed` });
}
