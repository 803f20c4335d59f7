import { WbOptionError } from './errors.js';
import { assertName } from './names.js';
import { resolveTimings, type Timings } from './timings.js';

/** The configuration record of the original task-coordination system, unchanged. Durations are in **seconds**. */
export interface WarmBackupConfig<D = Readonly<Record<string, unknown>>> {
  /** Where the database is. Default: `{}`. */
  readonly databaseConfig?: D;
  /** How long the active node may be silent. Default: 30. */
  readonly livenessCheckInterval?: number;
  /** The name of this node: 1–255 characters. */
  readonly taskId: string;
  /** The name of the group: 1–255 characters. */
  readonly groupId: string;
  /** How often the node writes its heartbeat. Default: 1. */
  readonly heartbeatFrequency?: number;
}

/** A {@link WarmBackupConfig} in the words of this library. Spread `coordinator` into the options of `createCoordinator`. */
export interface WarmBackupSettings<D = Readonly<Record<string, unknown>>> {
  readonly coordinator: Timings & { readonly memberId: string };
  readonly groupId: string;
  /** What `databaseConfig` was. */
  readonly database: D;
}

/**
 * Takes over a configuration of the original: `taskId` becomes `memberId`, `livenessCheckInterval` the session TTL, `heartbeatFrequency` the heartbeat.
 *
 * @throws {@link WbOptionError} `INVALID_NAME` or `INVALID_OPTION`, naming the field in the original's words (F7, F12).
 */
export function fromWarmBackupConfig<D = Readonly<Record<string, unknown>>>(config: WarmBackupConfig<D>): WarmBackupSettings<D> {
  assertName('taskId', config.taskId);
  assertName('groupId', config.groupId);
  const livenessCheckInterval = config.livenessCheckInterval ?? 30;
  const heartbeatFrequency = config.heartbeatFrequency ?? 1;
  assertSeconds('livenessCheckInterval', livenessCheckInterval);
  assertSeconds('heartbeatFrequency', heartbeatFrequency);
  if (heartbeatFrequency > livenessCheckInterval / 3) {
    throw new WbOptionError(
      'INVALID_OPTION',
      'heartbeatFrequency',
      `\`heartbeatFrequency\` (${heartbeatFrequency} s) must be at most a third of \`livenessCheckInterval\` (${livenessCheckInterval} s)`,
    );
  }
  const timings = resolveTimings({ ttlMs: Math.round(livenessCheckInterval * 1_000), heartbeatMs: heartbeatFrequency * 1_000 });
  // The record's own default.
  const database = config.databaseConfig ?? ({} as D);
  return { coordinator: { memberId: config.taskId, ...timings }, groupId: config.groupId, database };
}

function assertSeconds(field: string, value: unknown): asserts value is number {
  if (typeof value === 'number' && value >= 0.001 && value <= 86_400) return;
  throw new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${String(value)}) must be a number of seconds from 0.001 to 86400`);
}
