import { WbOptionError } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { resolveOptions, type MysqlLeaseStoreOptions } from './mysql-options.js';

const connectionString = 'mysql://app:secret@db.example/app';

function faultOf(options: unknown): unknown {
  try {
    resolveOptions(options as MysqlLeaseStoreOptions);
  } catch (error) {
    return error;
  }
  return null;
}

describe('options of mysqlLeaseStore', () => {
  it('has defaults', () => {
    expect(resolveOptions({ connectionString })).toMatchObject({
      namespace: 'wb_',
      sessionRetentionMs: 3_600_000,
      source: { kind: 'own', connectionLimit: 4 },
    });
  });

  it('takes a connection string, options of a pool, or a pool', () => {
    expect(resolveOptions({ connectionString }).source).toMatchObject({ kind: 'own', driverOptions: { uri: connectionString } });
    expect(resolveOptions({ poolOptions: { host: 'db', connectionLimit: 2 } }).source).toMatchObject({
      kind: 'own',
      connectionLimit: 2,
      driverOptions: { host: 'db' },
    });
    const pool = { getConnection: () => undefined };
    expect(resolveOptions({ pool }).source).toEqual({ kind: 'user', pool });
  });

  it('sends a transaction as one packet in UTF-8, whatever the options of the pool say', () => {
    const { source } = resolveOptions({ poolOptions: { multipleStatements: false, charset: 'latin1' } });
    expect(source).toMatchObject({ driverOptions: { multipleStatements: true, charset: 'utf8mb4' } });
  });

  it("watches for changes, unless it is told not to or has a pool of the user's", () => {
    expect(resolveOptions({ connectionString }).hints).toBe(true);
    expect(resolveOptions({ connectionString, hints: false }).hints).toBe(false);
    expect(resolveOptions({ pool: { getConnection: () => undefined } }).hints).toBe(false);
  });

  it.each([
    ['nothing', {}, 'connectionString'],
    ['two ways at once', { connectionString, poolOptions: {} }, 'connectionString'],
    ['another database', { connectionString: 'postgres://app:secret@db/app' }, 'connectionString'],
    ['no URL', { connectionString: 'secret' }, 'connectionString'],
    ['a pool that is none', { pool: {} }, 'pool'],
    ['options that are none', { poolOptions: null }, 'poolOptions'],
    ['no connections', { poolOptions: { connectionLimit: 0 } }, 'poolOptions.connectionLimit'],
    ['a bad namespace', { connectionString, namespace: 'a`b' }, 'namespace'],
    ['a negative retention', { connectionString, sessionRetentionMs: -1 }, 'sessionRetentionMs'],
    ['hints of a pool', { pool: { getConnection: () => undefined }, hints: true }, 'hints'],
    ['hints that are neither on nor off', { connectionString, hints: 'yes' }, 'hints'],
    ['a retention of years', { connectionString, sessionRetentionMs: 1e12 }, 'sessionRetentionMs'],
  ])('refuses %s', (_what, options, field) => {
    const fault = faultOf(options);
    expect(fault).toBeInstanceOf(WbOptionError);
    expect(fault).toMatchObject({ code: 'INVALID_OPTION', field });
    expect(String(fault)).not.toContain('secret');
  });
});
