import { WbOptionError } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { resolveOptions, type PostgresLeaseStoreOptions } from './postgres-options.js';

const connectionString = 'postgres://user:top-secret@db/app';
const pool = { connect: () => Promise.reject(new Error('no')), end: () => Promise.resolve() };

function refusal(options: object): WbOptionError {
  try {
    resolveOptions(options as PostgresLeaseStoreOptions);
  } catch (error) {
    if (error instanceof WbOptionError) return error;
  }
  throw new Error('it was accepted');
}

describe('the options', () => {
  it('have defaults', () => {
    expect(resolveOptions({ connectionString })).toEqual({
      source: { kind: 'servers', servers: [{ connectionString }], maxConnections: 4 },
      schema: 'public',
      namespace: 'wb_',
      pooler: false,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 5_000,
      lockTimeoutMs: 2_000,
      sessionRetentionMs: 3_600_000,
    });
  });

  it.each<[string, object, unknown]>([
    ['a connection string', { connectionString }, { kind: 'servers', servers: [{ connectionString }], maxConnections: 4 }],
    ['a PoolConfig', { config: { host: 'db', max: 9 } }, { kind: 'servers', servers: [{ host: 'db', max: 9 }], maxConnections: 9 }],
    ['a pool', { pool }, { kind: 'pool', pool }],
  ])('take %s', (_what, options, source) => {
    expect(resolveOptions(options as PostgresLeaseStoreOptions).source).toEqual(source);
  });

  it('take several servers, in both forms', () => {
    const servers = (options: object): unknown => Reflect.get(resolveOptions(options as PostgresLeaseStoreOptions).source, 'servers');
    expect(servers({ connectionString: 'postgresql://u:p@a:1,b,[::1]:3/app?sslmode=require' })).toEqual([
      { connectionString: 'postgresql://u:p@a:1/app?sslmode=require' },
      { connectionString: 'postgresql://u:p@b/app?sslmode=require' },
      { connectionString: 'postgresql://u:p@[::1]:3/app?sslmode=require' },
    ]);
    expect(servers({ config: { host: 'a,b', port: '1,2', user: 'u' } })).toEqual([
      { host: 'a', port: 1, user: 'u' },
      { host: 'b', port: 2, user: 'u' },
    ]);
    expect(servers({ config: { host: 'a, b', port: 7 } })).toEqual([
      { host: 'a', port: 7 },
      { host: 'b', port: 7 },
    ]);
    expect(servers({ connectionString: 'postgres:///app?host=/run/postgresql' })).toEqual([
      { connectionString: 'postgres:///app?host=/run/postgresql' },
    ]);
  });

  it.each<[string, object]>([
    ['connectionString', {}],
    ['connectionString', { connectionString, pool }],
    ['connectionString', { connectionString: 7 }],
    ['connectionString', { connectionString: 'mysql://db' }],
    ['connectionString', { connectionString: 'postgres://user:top-secret@a b/app' }],
    ['config', { config: 'db' }],
    ['config.max', { config: { max: 0 } }],
    ['config.port', { config: { host: 'a,b', port: '1,2,3' } }],
    ['pool', { pool: {} }],
    ['schema', { connectionString, schema: '' }],
    ['schema', { connectionString, schema: 'pg_mine' }],
    ['schema', { connectionString, schema: 'ö'.repeat(32) }],
    ['schema', { connectionString, schema: 'a$1' }],
    ['schema', { connectionString, schema: 'why?' }],
    ['namespace', { connectionString, namespace: 'Upper' }],
    ['pooler', { connectionString, pooler: 'yes' }],
    ['connectTimeoutMs', { connectionString, connectTimeoutMs: 0 }],
    ['statementTimeoutMs', { connectionString, statementTimeoutMs: Number.NaN }],
    ['lockTimeoutMs', { connectionString, lockTimeoutMs: 600_001 }],
    ['lockTimeoutMs', { connectionString, lockTimeoutMs: 6_000 }],
    ['sessionRetentionMs', { connectionString, sessionRetentionMs: -1 }],
  ])('refuse a bad `%s`, name it, and never show a password: %o', (field, options) => {
    const error = refusal(options);
    expect(error).toMatchObject({ code: 'INVALID_OPTION', field });
    expect(error.message).toContain(`\`${field}\``);
    expect(error.message).not.toContain('top-secret');
  });
});
