import { StoreError } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { notMigratedError } from './not-migrated.js';

describe('notMigratedError', () => {
  it('says which call failed and what to do, keeps the cause, and that nothing was done', () => {
    const cause = new Error('no such table');
    const error = notMigratedError('claim', { cause });
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: 'STORE_NOT_MIGRATED', outcome: 'none', isRetryable: false, cause });
    expect(error.message).toBe(
      '`claim` failed: the tables of the store are not there, or are of another version; run `migrate()` once before any other call',
    );
  });
});
