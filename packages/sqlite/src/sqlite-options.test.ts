import { WbOptionError } from '@wb/core';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { sqliteLeaseStore, type SqliteLeaseStoreOptions } from './index.js';
import { resolveOptions } from './sqlite-options.js';

function errorOf(options: unknown): WbOptionError {
  try {
    sqliteLeaseStore(options as SqliteLeaseStoreOptions);
  } catch (error) {
    if (error instanceof WbOptionError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('the options', () => {
  it('have defaults', () => {
    expect(resolveOptions({ filename: 'app.db' })).toEqual({
      source: { kind: 'file', filename: 'app.db' },
      namespace: 'wb_',
      sessionRetentionMs: 3_600_000,
      hints: true,
    });
    expect(resolveOptions({ filename: ':memory:' }).hints).toBe(false);
    expect(resolveOptions({ filename: 'app.db', hints: false }).hints).toBe(false);
  });

  it.each([
    [{}, 'filename', '`filename` (undefined) must be the path of a database file; or give `database`'],
    [{ filename: 7 }, 'filename', '`filename` (7) must be the path'],
    [{ filename: ' ' }, 'filename', '`filename` (" ") must not be blank'],
    [{ filename: 'a.db ' }, 'filename', '`filename` ("a.db ") must not begin or end with a blank'],
    [{ filename: 'file:a.db' }, 'filename', 'URIs are not supported'],
    [{ filename: 'a.db', database: {} }, 'filename', 'exclude each other'],
    [{ database: {} }, 'database', '`database` (object) must be an open database of better-sqlite3'],
    [{ database: null }, 'database', 'must be an open database'],
    [{ filename: 'a.db', fileMustExist: 1 }, 'fileMustExist', '`fileMustExist` (1) must be true or false'],
    [{ filename: ':memory:', fileMustExist: true }, 'fileMustExist', '`fileMustExist` (true) and a database in memory exclude each other'],
    [{ filename: 'a.db', hints: 'no' }, 'hints', '`hints` ("no") must be true or false'],
    [{ filename: ':memory:', hints: true }, 'hints', '`hints` (true) and a database in memory exclude each other'],
    [{ database: {}, fileMustExist: true }, 'fileMustExist', 'is for a `filename`'],
    [{ filename: 'a.db', namespace: 'Wb' }, 'namespace', '`namespace` ("Wb") must be 1 to 32 characters'],
    [{ filename: 'a.db', namespace: '' }, 'namespace', '1 to 32 characters'],
    [{ filename: 'a.db', namespace: 'x'.repeat(33) }, 'namespace', '1 to 32 characters'],
    [{ filename: 'a.db', namespace: 'a"; drop table x; --' }, 'namespace', '1 to 32 characters'],
    [
      { filename: 'a.db', sessionRetentionMs: -1 },
      'sessionRetentionMs',
      '`sessionRetentionMs` (-1) must be a whole number of milliseconds from 0 to 2592000000',
    ],
    [{ filename: 'a.db', sessionRetentionMs: Number.NaN }, 'sessionRetentionMs', '(NaN)'],
    [{ filename: 'a.db', sessionRetentionMs: 1.5 }, 'sessionRetentionMs', '(1.5)'],
    [{ filename: 'a.db', sessionRetentionMs: 2_592_000_001 }, 'sessionRetentionMs', '(2592000001)'],
  ])('%j is refused by the name of `%s`: %s', (options, field, message) => {
    const error = errorOf(options);
    expect(error).toMatchObject({ code: 'INVALID_OPTION', field });
    expect(error.message).toContain(message);
  });

  it('a closed database is refused at once', () => {
    const database = new Database(':memory:');
    database.close();
    expect(errorOf({ database }).message).toContain('is closed: give an open database');
  });

  it('the capabilities are what the place allows', () => {
    expect(sqliteLeaseStore({ filename: ':memory:' }).capabilities).toEqual({
      name: 'sqlite',
      durable: false,
      crossProcess: false,
      precisionMs: 1,
      watch: false,
      fencing: true,
      history: true,
      resignRequests: true,
      groups: true,
      occurrences: true,
    });
    expect(sqliteLeaseStore({ filename: 'app.db' }).capabilities).toEqual({
      name: 'sqlite',
      durable: true,
      crossProcess: true,
      precisionMs: 1,
      watch: true,
      fencing: true,
      history: true,
      resignRequests: true,
      groups: true,
      occurrences: true,
    });
  });
});
