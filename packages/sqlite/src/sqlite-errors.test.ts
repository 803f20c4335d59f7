import { StoreError } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { SQLITE_FAULTS, toStoreError } from './sqlite-errors.js';

function native(code: string, message: string = 'it failed'): Error {
  return Object.assign(new Error(message), { code });
}

describe('the error table', () => {
  // E1: what a caller may rely on, written down a second time.
  it.each([
    ['SQLITE_BUSY', 'STORE_BUSY', 'lock-wait', true, 'none'],
    ['SQLITE_BUSY_SNAPSHOT', 'STORE_BUSY', 'lock-wait', true, 'none'],
    ['SQLITE_LOCKED', 'STORE_BUSY', 'lock-wait', true, 'none'],
    ['SQLITE_PROTOCOL', 'STORE_BUSY', 'lock-wait', true, 'none'],
    ['SQLITE_READONLY', 'STORE_REFUSED', 'read-only', false, 'none'],
    ['SQLITE_READONLY_DBMOVED', 'STORE_UNAVAILABLE', 'connection', true, 'none'],
    ['SQLITE_READONLY_DIRECTORY', 'STORE_REFUSED', 'read-only', false, 'none'],
    ['SQLITE_PERM', 'STORE_REFUSED', 'permission', false, 'none'],
    ['SQLITE_AUTH', 'STORE_REFUSED', 'permission', false, 'none'],
    ['SQLITE_FULL', 'STORE_REFUSED', 'disk-full', true, 'unknown'],
    ['SQLITE_CANTOPEN', 'STORE_UNAVAILABLE', 'connection', true, 'none'],
    ['SQLITE_CANTOPEN_ISDIR', 'STORE_UNAVAILABLE', 'connection', true, 'none'],
    ['SQLITE_IOERR', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
    ['SQLITE_IOERR_FSYNC', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
    ['SQLITE_NOMEM', 'STORE_FAULT', 'other', true, 'unknown'],
    ['SQLITE_INTERRUPT', 'STORE_FAULT', 'other', true, 'unknown'],
    ['SQLITE_ABORT', 'STORE_FAULT', 'other', true, 'unknown'],
    ['SQLITE_SCHEMA', 'STORE_FAULT', 'other', true, 'none'],
    ['SQLITE_CORRUPT', 'STORE_FAULT', 'other', false, 'unknown'],
    ['SQLITE_NOTADB', 'STORE_FAULT', 'other', false, 'none'],
    ['SQLITE_CONSTRAINT', 'STORE_FAULT', 'other', false, 'none'],
    ['SQLITE_CONSTRAINT_CHECK', 'STORE_FAULT', 'other', false, 'none'],
    ['SQLITE_TOOBIG', 'STORE_FAULT', 'other', false, 'none'],
    ['SQLITE_MISMATCH', 'STORE_FAULT', 'other', false, 'none'],
    ['SQLITE_RANGE', 'STORE_FAULT', 'other', false, 'none'],
    ['SQLITE_MISUSE', 'STORE_FAULT', 'other', false, 'none'],
    ['SQLITE_ERROR', 'STORE_FAULT', 'other', false, 'none'],
    ['SQLITE_OF_TOMORROW', 'STORE_FAULT', 'other', false, 'unknown'],
  ])('E1: %s at a commit is %s (%s), retryable: %s, outcome: %s', (code, expected, reason, isRetryable, outcome) => {
    const cause = native(code);
    const error = toStoreError('claim', cause, 'commit');
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: expected, reason, isRetryable, outcome, cause });
    expect(error.message).toBe(`\`claim\` failed: it failed (${code})`);
  });

  it('E1: lists no code that is not tested above', () => {
    // A fault that is added must be thought about twice.
    expect(Object.keys(SQLITE_FAULTS).length).toBe(22);
  });

  it('T5: before the commit nothing was done, whatever it was', () => {
    for (const code of Object.keys(SQLITE_FAULTS)) expect(toStoreError('claim', native(code), 'before-commit').outcome).toBe('none');
  });

  it.each([
    ['no such table: wb_session', 'STORE_NOT_MIGRATED'],
    ['no such column: closed', 'STORE_NOT_MIGRATED'],
    ['table wb_session has no column named closed', 'STORE_NOT_MIGRATED'],
    ['near "selct": syntax error', 'STORE_FAULT'],
  ])('E1: SQLITE_ERROR with "%s" is %s', (message, code) => {
    expect(toStoreError('read', native('SQLITE_ERROR', message), 'before-commit')).toMatchObject({ code, isRetryable: false });
  });

  it.each([
    ['This database connection is busy executing a query', 'STORE_BUSY', true],
    ['The database connection is not open', 'STORE_UNAVAILABLE', true],
    ['Cannot open database because the directory does not exist', 'STORE_UNAVAILABLE', true],
    ['something new', 'STORE_FAULT', false],
  ])('E1: the driver\'s own `TypeError` "%s" is %s', (message, code, isRetryable) => {
    expect(toStoreError('read', new TypeError(message), 'before-commit')).toMatchObject({ code, isRetryable });
  });

  it('a StoreError passes as it is, and what is no error at all becomes one', () => {
    const error = new StoreError('STORE_BUSY', 'busy');
    expect(toStoreError('read', error, 'commit')).toBe(error);
    expect(toStoreError('read', 'a string', 'before-commit')).toMatchObject({ code: 'STORE_FAULT', message: '`read` failed: a string' });
  });
});
