import { StoreError, type StoreErrorCode, type StoreErrorReason, type StoreOutcome } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { DRIVER_FAULTS, faultOf, SERVER_FAULTS, toStoreError } from './mysql-errors.js';

function serverError(errno: number): Error {
  return Object.assign(new Error(`error ${errno}`), { errno, code: 'ER_SOMETHING', sqlState: 'HY000' });
}

function driverError(code: string): Error {
  return Object.assign(new Error(code), { code, errno: -111 });
}

type Expected = readonly [code: StoreErrorCode, reason: StoreErrorReason, isRetryable: boolean, outcome: StoreOutcome];

const serverTable: readonly (readonly [number, ...Expected])[] = [
  [1020, 'STORE_BUSY', 'serialization', true, 'none'],
  [1021, 'STORE_REFUSED', 'disk-full', true, 'none'],
  [1030, 'STORE_FAULT', 'other', true, 'unknown'],
  [1040, 'STORE_BUSY', 'too-many-connections', true, 'none'],
  [1041, 'STORE_FAULT', 'other', true, 'none'],
  [1044, 'STORE_REFUSED', 'permission', false, 'none'],
  [1045, 'STORE_REFUSED', 'permission', false, 'none'],
  [1046, 'STORE_REFUSED', 'configuration', false, 'none'],
  [1047, 'STORE_UNAVAILABLE', 'connection', true, 'none'],
  [1049, 'STORE_REFUSED', 'configuration', false, 'none'],
  [1053, 'STORE_UNAVAILABLE', 'shutting-down', true, 'unknown'],
  [1054, 'STORE_NOT_MIGRATED', 'not-migrated', false, 'none'],
  [1062, 'STORE_FAULT', 'other', false, 'none'],
  [1064, 'STORE_FAULT', 'other', false, 'none'],
  [1105, 'STORE_FAULT', 'other', false, 'unknown'],
  [1114, 'STORE_REFUSED', 'disk-full', true, 'none'],
  [1129, 'STORE_UNAVAILABLE', 'connection', true, 'none'],
  [1130, 'STORE_REFUSED', 'permission', false, 'none'],
  [1142, 'STORE_REFUSED', 'permission', false, 'none'],
  [1143, 'STORE_REFUSED', 'permission', false, 'none'],
  [1146, 'STORE_NOT_MIGRATED', 'not-migrated', false, 'none'],
  [1152, 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  [1153, 'STORE_FAULT', 'other', false, 'none'],
  [1158, 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  [1159, 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  [1160, 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  [1161, 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  [1180, 'STORE_FAULT', 'other', true, 'unknown'],
  [1203, 'STORE_BUSY', 'too-many-connections', true, 'none'],
  [1205, 'STORE_BUSY', 'lock-wait', true, 'none'],
  [1206, 'STORE_BUSY', 'lock-wait', true, 'none'],
  [1213, 'STORE_BUSY', 'deadlock', true, 'none'],
  [1226, 'STORE_BUSY', 'too-many-connections', true, 'none'],
  [1227, 'STORE_REFUSED', 'permission', false, 'none'],
  [1290, 'STORE_REFUSED', 'read-only', true, 'none'],
  [1317, 'STORE_FAULT', 'other', true, 'unknown'],
  [1412, 'STORE_BUSY', 'lock-wait', true, 'none'],
  [1613, 'STORE_BUSY', 'lock-wait', true, 'none'],
  [1614, 'STORE_BUSY', 'deadlock', true, 'none'],
  [1665, 'STORE_REFUSED', 'configuration', false, 'none'],
  [1698, 'STORE_REFUSED', 'permission', false, 'none'],
  [1792, 'STORE_REFUSED', 'read-only', true, 'none'],
  [1820, 'STORE_REFUSED', 'permission', false, 'none'],
  [1836, 'STORE_REFUSED', 'read-only', true, 'none'],
  [1862, 'STORE_REFUSED', 'permission', false, 'none'],
  [1927, 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  [1969, 'STORE_TIMEOUT', 'timeout', true, 'unknown'],
  [3024, 'STORE_TIMEOUT', 'timeout', true, 'unknown'],
  [3032, 'STORE_UNAVAILABLE', 'shutting-down', true, 'none'],
  [3100, 'STORE_REFUSED', 'permission', true, 'none'],
  [3101, 'STORE_BUSY', 'deadlock', true, 'none'],
  [3118, 'STORE_REFUSED', 'permission', false, 'none'],
  [3159, 'STORE_REFUSED', 'configuration', false, 'none'],
  [3572, 'STORE_BUSY', 'lock-wait', true, 'none'],
  [3819, 'STORE_FAULT', 'other', false, 'none'],
  [4025, 'STORE_FAULT', 'other', false, 'none'],
  [4031, 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  [4151, 'STORE_REFUSED', 'permission', false, 'none'],
];

const driverTable: readonly (readonly [string, ...Expected])[] = [
  ['ECONNREFUSED', 'STORE_UNAVAILABLE', 'connection', true, 'none'],
  ['ENOTFOUND', 'STORE_UNAVAILABLE', 'connection', true, 'none'],
  ['EAI_AGAIN', 'STORE_UNAVAILABLE', 'connection', true, 'none'],
  ['ENOENT', 'STORE_UNAVAILABLE', 'connection', true, 'none'],
  ['EHOSTUNREACH', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['ENETUNREACH', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['ETIMEDOUT', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['ECONNRESET', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['ECONNABORTED', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['EPIPE', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['PROTOCOL_CONNECTION_LOST', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['PROTOCOL_SEQUENCE_TIMEOUT', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['PROTOCOL_UNEXPECTED_PACKET', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['PROTOCOL_ERROR', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['HANDSHAKE_UNKNOWN_ERROR', 'STORE_UNAVAILABLE', 'connection', true, 'unknown'],
  ['EACCES', 'STORE_REFUSED', 'permission', false, 'none'],
  ['HANDSHAKE_NO_SSL_SUPPORT', 'STORE_REFUSED', 'configuration', false, 'none'],
  ['HANDSHAKE_SSL_ERROR', 'STORE_REFUSED', 'configuration', false, 'none'],
  ['AUTH_SWITCH_PLUGIN_ERROR', 'STORE_REFUSED', 'configuration', false, 'none'],
];

describe('the error table (E1)', () => {
  it.each(serverTable)('%i of the server is %s (%s); retryable: %s; outcome: %s', (errno, ...expected) => {
    const error = toStoreError('claim', serverError(errno), 'sent');
    expect(error).toBeInstanceOf(StoreError);
    expect([error.code, error.reason, error.isRetryable, error.outcome]).toEqual(expected);
    expect(error.message).toContain('`claim` failed');
  });

  it.each(driverTable)('%s of the driver is %s (%s); retryable: %s; outcome: %s', (native, ...expected) => {
    const error = toStoreError('heartbeat', driverError(native), 'sent');
    expect([error.code, error.reason, error.isRetryable, error.outcome]).toEqual(expected);
  });

  it('has a row of this test for every entry', () => {
    expect(serverTable.map(([errno]) => String(errno))).toEqual(Object.keys(SERVER_FAULTS));
    expect(driverTable.map(([code]) => code).toSorted()).toEqual(Object.keys(DRIVER_FAULTS).toSorted());
  });

  it('knows nothing of what is in no table', () => {
    for (const error of [serverError(65_000), driverError('SOMETHING_NEW')])
      expect(toStoreError('claim', error, 'sent')).toMatchObject({
        code: 'STORE_FAULT',
        reason: 'other',
        isRetryable: false,
        outcome: 'unknown',
      });
  });

  it('says of a failure to connect that nothing was done, whatever the failure', () => {
    for (const errno of Object.keys(SERVER_FAULTS))
      expect(toStoreError('read', serverError(Number(errno)), 'connecting').outcome).toBe('none');
    for (const code of Object.keys(DRIVER_FAULTS)) expect(toStoreError('read', driverError(code), 'connecting').outcome).toBe('none');
  });

  it('never calls busy what may have been done: busy calls are repeated', () => {
    const busy = [...Object.values(SERVER_FAULTS), ...Object.values(DRIVER_FAULTS)].filter(({ code }) => code === 'STORE_BUSY');
    expect(new Set(busy.map(({ isRetryable, outcome }) => `${isRetryable} ${outcome}`))).toEqual(new Set(['true none']));
  });

  it('knows a closed pool and a full queue by their messages', () => {
    expect(faultOf(new Error('Pool is closed.'))).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'none' });
    expect(faultOf(new Error('Queue limit reached.'))).toMatchObject({ code: 'STORE_BUSY' });
    expect(faultOf('nothing at all')).toMatchObject({ code: 'STORE_FAULT', outcome: 'unknown' });
  });

  it('keeps the native error as the cause, and passes a StoreError through', () => {
    const native = serverError(1213);
    const error = toStoreError('claim', native, 'sent');
    expect(error.cause).toBe(native);
    expect(toStoreError('claim', error, 'sent')).toBe(error);
  });
});
