import { StoreError, type StoreErrorCode, type StoreErrorReason, type StoreOutcome } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { faultOf, isMissingTable, NODE_FAULTS, POSTGRES_FAULTS, readOnlyError, toStoreError, type CallStage } from './postgres-errors.js';

function native(code: string, message = 'native message', severity = 'ERROR'): Error {
  return Object.assign(new Error(message), { code, severity });
}

type Expected = readonly [code: StoreErrorCode, reason: StoreErrorReason, isRetryable: boolean, outcome: StoreOutcome, isFatal: boolean];

const table: readonly (readonly [string, ...Expected])[] = [
  ['08000', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['08001', 'STORE_UNAVAILABLE', 'connection', true, 'none', true],
  ['08004', 'STORE_REFUSED', 'permission', false, 'none', true],
  ['08006', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['08P01', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['0A000', 'STORE_FAULT', 'configuration', true, 'none', true],
  ['22001', 'STORE_FAULT', 'other', false, 'none', false],
  ['23505', 'STORE_FAULT', 'other', false, 'none', false],
  ['25006', 'STORE_REFUSED', 'read-only', true, 'none', true],
  ['25P02', 'STORE_FAULT', 'configuration', true, 'none', true],
  ['26000', 'STORE_FAULT', 'configuration', true, 'none', true],
  ['28000', 'STORE_REFUSED', 'permission', false, 'none', true],
  ['28P01', 'STORE_REFUSED', 'permission', false, 'none', true],
  ['3D000', 'STORE_REFUSED', 'configuration', false, 'none', true],
  ['3F000', 'STORE_NOT_MIGRATED', 'not-migrated', false, 'none', false],
  ['40001', 'STORE_BUSY', 'serialization', true, 'none', false],
  ['40003', 'STORE_BUSY', 'other', true, 'unknown', false],
  ['40P01', 'STORE_BUSY', 'deadlock', true, 'none', false],
  ['42501', 'STORE_REFUSED', 'permission', false, 'none', false],
  ['42601', 'STORE_FAULT', 'other', false, 'none', false],
  ['42703', 'STORE_NOT_MIGRATED', 'not-migrated', false, 'none', false],
  ['42P01', 'STORE_NOT_MIGRATED', 'not-migrated', false, 'none', false],
  ['42P05', 'STORE_FAULT', 'configuration', true, 'none', true],
  ['53100', 'STORE_REFUSED', 'disk-full', true, 'none', false],
  ['53200', 'STORE_FAULT', 'other', true, 'none', false],
  ['53300', 'STORE_BUSY', 'too-many-connections', true, 'none', true],
  ['53400', 'STORE_BUSY', 'too-many-connections', true, 'none', false],
  ['54000', 'STORE_FAULT', 'other', false, 'none', false],
  ['55000', 'STORE_FAULT', 'other', false, 'none', false],
  ['55006', 'STORE_BUSY', 'lock-wait', true, 'none', false],
  ['55P02', 'STORE_FAULT', 'other', false, 'none', false],
  ['55P03', 'STORE_BUSY', 'lock-wait', true, 'none', false],
  ['57014', 'STORE_TIMEOUT', 'timeout', true, 'none', false],
  ['57P01', 'STORE_UNAVAILABLE', 'shutting-down', true, 'unknown', true],
  ['57P02', 'STORE_UNAVAILABLE', 'shutting-down', true, 'unknown', true],
  ['57P03', 'STORE_UNAVAILABLE', 'shutting-down', true, 'none', true],
  ['57P04', 'STORE_REFUSED', 'configuration', false, 'none', true],
  ['57P05', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['58030', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['F0001', 'STORE_FAULT', 'other', false, 'none', false],
  ['P0001', 'STORE_FAULT', 'other', false, 'unknown', true],
  ['XX000', 'STORE_FAULT', 'other', false, 'unknown', true],
  ['ECONNREFUSED', 'STORE_UNAVAILABLE', 'connection', true, 'none', true],
  ['ENOTFOUND', 'STORE_UNAVAILABLE', 'connection', true, 'none', true],
  ['EAI_AGAIN', 'STORE_UNAVAILABLE', 'connection', true, 'none', true],
  ['ECONNRESET', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['EPIPE', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['ETIMEDOUT', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['EHOSTUNREACH', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['ENOENT', 'STORE_UNAVAILABLE', 'connection', true, 'none', true],
  ['EAI_FAIL', 'STORE_UNAVAILABLE', 'connection', true, 'none', true],
  ['EHOSTDOWN', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['ENETUNREACH', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['ENETDOWN', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['EADDRNOTAVAIL', 'STORE_UNAVAILABLE', 'connection', true, 'none', true],
  ['EMFILE', 'STORE_UNAVAILABLE', 'connection', true, 'none', true],
  ['ECONNABORTED', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['ERR_STREAM_DESTROYED', 'STORE_UNAVAILABLE', 'connection', true, 'unknown', true],
  ['EACCES', 'STORE_REFUSED', 'permission', false, 'none', true],
];

describe('the error table (E1)', () => {
  it.each(table)(
    '%s is %s (%s); retryable: %s; outcome: %s; ends the connection: %s',
    (native_, code, reason, isRetryable, outcome, isFatal) => {
      const error = native(native_);
      expect(toStoreError('claim', error, 'sent')).toMatchObject({ code, reason, isRetryable, outcome, cause: error });
      expect(faultOf(error).isFatal ?? false).toBe(isFatal);
      // Before it was sent it has done nothing.
      expect(toStoreError('claim', error, 'connect')).toMatchObject({ code, isRetryable, outcome: 'none' });
    },
  );

  it('has a row of this test for every entry', () => {
    const codes = table.map(([code]) => code);
    for (const entry of Object.keys(POSTGRES_FAULTS)) expect(codes.some((code) => code.startsWith(entry))).toBe(true);
    expect(codes).toEqual(expect.arrayContaining(Object.keys(NODE_FAULTS)));
  });

  it.each<[string, Expected[0], StoreOutcome]>([
    ['Connection terminated unexpectedly', 'STORE_UNAVAILABLE', 'unknown'],
    ['Client has encountered a connection error and is not queryable', 'STORE_UNAVAILABLE', 'unknown'],
    ['timeout exceeded when trying to connect', 'STORE_UNAVAILABLE', 'none'],
    ['The server does not support SSL connections', 'STORE_REFUSED', 'none'],
    ['self-signed certificate in certificate chain', 'STORE_REFUSED', 'none'],
    ['something new', 'STORE_FAULT', 'unknown'],
  ])('knows the driver by its message: %s', (message, code, outcome) => {
    expect(toStoreError('claim', new Error(message), 'sent')).toMatchObject({ code, outcome });
  });

  it('takes the first of the errors that Node reports for a name with several addresses', () => {
    const error = new AggregateError([native('ECONNREFUSED', 'connect ECONNREFUSED ::1'), native('ECONNREFUSED')], '');
    expect(toStoreError('claim', error, 'connect')).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: '`claim` failed: connect ECONNREFUSED ::1',
    });
  });

  it('ends the connection whatever the code is, when the server says that it has ended the session', () => {
    expect(faultOf(native('55P03', 'x', 'FATAL')).isFatal).toBe(true);
    expect(faultOf(native('55P03')).isFatal).toBeUndefined();
  });

  it('advises about poolers where prepared statements get lost', () => {
    expect(toStoreError('claim', native('26000'), 'sent').message).toContain('`pooler: true`');
  });

  it('lets a StoreError pass', () => {
    const error = new StoreError('STORE_TIMEOUT', 'late');
    for (const stage of ['connect', 'sent'] satisfies CallStage[]) expect(toStoreError('claim', error, stage)).toBe(error);
  });

  it('tells a missing table from other faults', () => {
    expect(['42P01', '3F000', '42703', 'ENOENT'].map((code) => isMissingTable(native(code)))).toEqual([true, true, false, false]);
    expect(isMissingTable(null)).toBe(false);
  });

  it('names the server that takes no writes', () => {
    expect(readOnlyError('claim', 'db1:5432/app')).toMatchObject({ code: 'STORE_REFUSED', isRetryable: true, outcome: 'none' });
    expect(readOnlyError('claim', 'db1:5432/app').message).toMatch(/db1:5432\/app is read-only/);
  });
});
