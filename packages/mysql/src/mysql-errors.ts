import { StoreError, type StoreErrorCode, type StoreErrorReason, type StoreOutcome } from '@wb/core';
import { notMigratedError } from '@wb/sql';

/** What a native code means. */
export interface MysqlFault {
  readonly code: StoreErrorCode;
  /** Default: what the code usually means. */
  readonly reason?: StoreErrorReason;
  readonly isRetryable: boolean;
  /** What a call that failed like this, after it was sent, may have done. While connecting it is always `'none'`. */
  readonly outcome: StoreOutcome;
}

const BUSY: MysqlFault = { code: 'STORE_BUSY', isRetryable: true, outcome: 'none' };
const REFUSED: MysqlFault = { code: 'STORE_REFUSED', isRetryable: false, outcome: 'none' };
const MISCONFIGURED: MysqlFault = { ...REFUSED, reason: 'configuration' };
/** The next connection may lead to another server, or someone may make room. */
const REFUSED_FOR_NOW: MysqlFault = { ...REFUSED, isRetryable: true };
const READ_ONLY: MysqlFault = { ...REFUSED_FOR_NOW, reason: 'read-only' };
const DISK_FULL: MysqlFault = { ...REFUSED_FOR_NOW, reason: 'disk-full' };
const DEADLOCK: MysqlFault = { ...BUSY, reason: 'deadlock' };
const CROWDED: MysqlFault = { ...BUSY, reason: 'too-many-connections' };
const UNAVAILABLE: MysqlFault = { code: 'STORE_UNAVAILABLE', isRetryable: true, outcome: 'unknown' };
const UNREACHABLE: MysqlFault = { ...UNAVAILABLE, outcome: 'none' };
const NOT_MIGRATED: MysqlFault = { code: 'STORE_NOT_MIGRATED', isRetryable: false, outcome: 'none' };
const TIMEOUT: MysqlFault = { code: 'STORE_TIMEOUT', isRetryable: true, outcome: 'unknown' };
const FAULT: MysqlFault = { code: 'STORE_FAULT', isRetryable: false, outcome: 'none' };
const UNKNOWN: MysqlFault = { ...FAULT, outcome: 'unknown' };

/** What the server reports, by its number (E1): MySQL's and MariaDB's agree below 1900 and are apart above. */
export const SERVER_FAULTS: Readonly<Record<number, MysqlFault>> = Object.freeze({
  1020: { ...BUSY, reason: 'serialization' }, // ER_CHECKREAD: MariaDB 11.6 and later, with innodb_snapshot_isolation
  1021: DISK_FULL, // ER_DISK_FULL
  1030: { ...UNKNOWN, isRetryable: true }, // ER_GET_ERRNO: of the storage engine, among it a full disk
  1040: CROWDED, // ER_CON_COUNT_ERROR
  1041: { ...FAULT, isRetryable: true }, // ER_OUT_OF_RESOURCES
  1044: REFUSED, // ER_DBACCESS_DENIED_ERROR
  1045: REFUSED, // ER_ACCESS_DENIED_ERROR
  1046: MISCONFIGURED, // ER_NO_DB_ERROR
  1047: UNREACHABLE, // ER_UNKNOWN_COM_ERROR: a Galera node that is not ready says this
  1049: MISCONFIGURED, // ER_BAD_DB_ERROR
  1053: { ...UNAVAILABLE, reason: 'shutting-down' }, // ER_SERVER_SHUTDOWN
  1054: NOT_MIGRATED, // ER_BAD_FIELD_ERROR
  1062: FAULT, // ER_DUP_ENTRY
  1064: FAULT, // ER_PARSE_ERROR
  1105: UNKNOWN, // ER_UNKNOWN_ERROR
  1114: DISK_FULL, // ER_RECORD_FILE_FULL
  1129: UNREACHABLE, // ER_HOST_IS_BLOCKED
  1130: REFUSED, // ER_HOST_NOT_PRIVILEGED
  1142: REFUSED, // ER_TABLEACCESS_DENIED_ERROR
  1143: REFUSED, // ER_COLUMNACCESS_DENIED_ERROR
  1146: NOT_MIGRATED, // ER_NO_SUCH_TABLE
  1152: UNAVAILABLE, // ER_ABORTING_CONNECTION
  1153: FAULT, // ER_NET_PACKET_TOO_LARGE
  1158: UNAVAILABLE, // ER_NET_READ_ERROR
  1159: UNAVAILABLE, // ER_NET_READ_INTERRUPTED
  1160: UNAVAILABLE, // ER_NET_ERROR_ON_WRITE
  1161: UNAVAILABLE, // ER_NET_WRITE_INTERRUPTED
  1180: { ...UNKNOWN, isRetryable: true }, // ER_ERROR_DURING_COMMIT
  1203: CROWDED, // ER_TOO_MANY_USER_CONNECTIONS
  1205: BUSY, // ER_LOCK_WAIT_TIMEOUT: the transaction is then rolled back
  1206: BUSY, // ER_LOCK_TABLE_FULL
  1213: DEADLOCK, // ER_LOCK_DEADLOCK: the server has rolled back; on Galera also a conflict at the commit
  1226: CROWDED, // ER_USER_LIMIT_REACHED
  1227: REFUSED, // ER_SPECIFIC_ACCESS_DENIED_ERROR
  1290: READ_ONLY, // ER_OPTION_PREVENTS_STATEMENT: --read-only
  1317: { ...UNKNOWN, isRetryable: true }, // ER_QUERY_INTERRUPTED
  1412: BUSY, // ER_TABLE_DEF_CHANGED: someone migrates
  1613: BUSY, // ER_XA_RBTIMEOUT
  1614: DEADLOCK, // ER_XA_RBDEADLOCK
  1665: MISCONFIGURED, // ER_BINLOG_STMT_MODE_AND_ROW_ENGINE: binlog_format=STATEMENT
  1698: REFUSED, // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  1792: READ_ONLY, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  1820: REFUSED, // ER_MUST_CHANGE_PASSWORD
  1836: READ_ONLY, // ER_READ_ONLY_MODE
  1862: REFUSED, // ER_MUST_CHANGE_PASSWORD_LOGIN
  1927: UNAVAILABLE, // MariaDB: ER_CONNECTION_KILLED
  1969: TIMEOUT, // MariaDB: ER_STATEMENT_TIMEOUT
  3024: TIMEOUT, // MySQL: ER_QUERY_TIMEOUT
  3032: { ...UNREACHABLE, reason: 'shutting-down' }, // MySQL: ER_SERVER_OFFLINE_MODE
  3100: REFUSED_FOR_NOW, // MySQL: ER_RUN_HOOK_ERROR: the group's plug-in did not let it commit
  3101: DEADLOCK, // MySQL: ER_TRANSACTION_ROLLBACK_DURING_COMMIT
  3118: REFUSED, // MySQL: ER_ACCOUNT_HAS_BEEN_LOCKED
  3159: MISCONFIGURED, // MySQL: ER_SECURE_TRANSPORT_REQUIRED
  3572: BUSY, // MySQL: ER_LOCK_NOWAIT
  3819: FAULT, // MySQL: ER_CHECK_CONSTRAINT_VIOLATED
  4025: FAULT, // MariaDB: ER_CONSTRAINT_FAILED
  4031: UNAVAILABLE, // MySQL: ER_CLIENT_INTERACTION_TIMEOUT
  4151: REFUSED, // MariaDB: ER_ACCOUNT_HAS_BEEN_LOCKED
});

/** What the driver or the operating system reports, by name. */
export const DRIVER_FAULTS: Readonly<Record<string, MysqlFault>> = Object.freeze({
  ECONNREFUSED: UNREACHABLE,
  ENOTFOUND: UNREACHABLE,
  EAI_AGAIN: UNREACHABLE,
  EHOSTUNREACH: UNAVAILABLE,
  ENETUNREACH: UNAVAILABLE,
  ENOENT: UNREACHABLE,
  EACCES: REFUSED,
  ETIMEDOUT: UNAVAILABLE,
  ECONNRESET: UNAVAILABLE,
  ECONNABORTED: UNAVAILABLE,
  EPIPE: UNAVAILABLE,
  PROTOCOL_CONNECTION_LOST: UNAVAILABLE,
  PROTOCOL_SEQUENCE_TIMEOUT: UNAVAILABLE,
  PROTOCOL_UNEXPECTED_PACKET: UNAVAILABLE,
  PROTOCOL_ERROR: UNAVAILABLE,
  HANDSHAKE_NO_SSL_SUPPORT: MISCONFIGURED,
  HANDSHAKE_SSL_ERROR: MISCONFIGURED,
  HANDSHAKE_UNKNOWN_ERROR: UNAVAILABLE,
  AUTH_SWITCH_PLUGIN_ERROR: MISCONFIGURED,
});

/** Faults that the driver reports by a message only. */
const DRIVER_MESSAGES: readonly (readonly [RegExp, MysqlFault])[] = [
  [/pool is closed/i, UNREACHABLE],
  [/no connections available|queue limit reached/i, CROWDED],
  [/connection is in closed state/i, UNREACHABLE],
];

/** A savepoint is not there: the transaction that had it is not, either. */
export const ER_SP_DOES_NOT_EXIST = 1305;

/** How far a call had come when it failed. */
export type CallStage = 'connecting' | 'sent';

/** Makes a {@link StoreError} of whatever the driver threw. A `StoreError` passes unchanged. */
export function toStoreError(operation: string, error: unknown, stage: CallStage): StoreError {
  if (error instanceof StoreError) return error;
  const { code, reason, isRetryable, outcome } = faultOf(error);
  if (code === 'STORE_NOT_MIGRATED') return notMigratedError(operation, { cause: error });
  const message = error instanceof Error && error.message !== '' ? error.message : String(Reflect.get(Object(error), 'code') ?? error);
  const number = serverNumber(error);
  return new StoreError(code, `\`${operation}\` failed: ${message}${number === null ? '' : ` (${number})`}`, {
    cause: error,
    reason,
    isRetryable,
    outcome: stage === 'connecting' ? 'none' : outcome,
  });
}

/** What a native error means. */
export function faultOf(error: unknown): MysqlFault {
  const number = serverNumber(error);
  if (number !== null) return SERVER_FAULTS[number] ?? UNKNOWN;
  if (typeof error !== 'object' || error === null) return UNKNOWN;
  const name: unknown = Reflect.get(error, 'code');
  if (typeof name === 'string' && Object.hasOwn(DRIVER_FAULTS, name)) return DRIVER_FAULTS[name]!;
  const message = String(Reflect.get(error, 'message'));
  return DRIVER_MESSAGES.find(([pattern]) => pattern.test(message))?.[1] ?? UNKNOWN;
}

/** The server's number of an error, or `null` if it does not come from the server. */
export function serverNumber(error: unknown): number | null {
  if (typeof error !== 'object' || error === null) return null;
  const number: unknown = Reflect.get(error, 'errno');
  // Those of the operating system are negative.
  return typeof number === 'number' && number >= 1000 ? number : null;
}
