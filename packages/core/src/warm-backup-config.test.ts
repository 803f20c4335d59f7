import { describe, expect, it } from 'vitest';
import { CoordinatorRig } from '../test-support/coordinator-rig.js';
import { optionErrorOf } from '../test-support/option-error.js';
import { fromWarmBackupConfig, type WarmBackupConfig } from './warm-backup-config.js';

/** A record of the original system, as its users have it. */
const RECORD: WarmBackupConfig = {
  databaseConfig: { host: 'localhost', port: 5_432, user: 'postgres', password: 'postgres', database: 'coordination' },
  livenessCheckInterval: 30,
  taskId: 'node-1',
  groupId: 'nightly-report',
  heartbeatFrequency: 1,
};

describe('the original’s configuration record', () => {
  it('is taken over unchanged: seconds become milliseconds, and its words ours', () => {
    const settings = fromWarmBackupConfig(RECORD);
    expect(settings.coordinator).toMatchObject({ memberId: 'node-1', ttlMs: 30_000, heartbeatMs: 1_000 });
    expect(settings.groupId).toBe('nightly-report');
    expect(settings.database).toBe(RECORD.databaseConfig);
  });

  it('has the original’s defaults: 30 s of silence, a heartbeat a second, an empty database configuration', () => {
    const settings = fromWarmBackupConfig({ taskId: 'node-1', groupId: 'g' });
    expect(settings.coordinator).toMatchObject({ ttlMs: 30_000, heartbeatMs: 1_000 });
    expect(settings.database).toEqual({});
  });

  it('T2: comes with timings that are complete and fit together', () => {
    const { heartbeatMs, callDeadlineMs, safetyMarginMs, ttlMs } = fromWarmBackupConfig(RECORD).coordinator;
    expect(heartbeatMs + 2 * callDeadlineMs + safetyMarginMs).toBeLessThanOrEqual(ttlMs);
  });

  it('may have fractions of a second', () => {
    expect(fromWarmBackupConfig({ ...RECORD, livenessCheckInterval: 2.5, heartbeatFrequency: 0.5 }).coordinator).toMatchObject({
      ttlMs: 2_500,
      heartbeatMs: 500,
    });
    expect(fromWarmBackupConfig({ ...RECORD, livenessCheckInterval: 1.1, heartbeatFrequency: 0.25 }).coordinator.ttlMs).toBe(1_100);
  });

  it.each<[string, Partial<Record<keyof WarmBackupConfig, unknown>>, string, string]>([
    ['F12: a heartbeat of 0', { heartbeatFrequency: 0 }, 'heartbeatFrequency', '`heartbeatFrequency` (0) must be a number of seconds'],
    ['F12: a negative heartbeat', { heartbeatFrequency: -1 }, 'heartbeatFrequency', '`heartbeatFrequency` (-1)'],
    ['F12: a heartbeat that is a string', { heartbeatFrequency: '1' }, 'heartbeatFrequency', '`heartbeatFrequency` (1)'],
    [
      'F12: a heartbeat longer than a third of the limit',
      { heartbeatFrequency: 11 },
      'heartbeatFrequency',
      '`heartbeatFrequency` (11 s) must be at most a third of `livenessCheckInterval` (30 s)',
    ],
    ['F12: a heartbeat longer than the limit', { heartbeatFrequency: 60 }, 'heartbeatFrequency', '`heartbeatFrequency` (60 s)'],
    ['F12: a limit of 0', { livenessCheckInterval: 0 }, 'livenessCheckInterval', '`livenessCheckInterval` (0)'],
    ['F12: a limit that is no number', { livenessCheckInterval: Number.NaN }, 'livenessCheckInterval', '`livenessCheckInterval` (NaN)'],
    [
      'F12: an infinite limit',
      { livenessCheckInterval: Number.POSITIVE_INFINITY },
      'livenessCheckInterval',
      '`livenessCheckInterval` (Infinity)',
    ],
    ['F7: an empty taskId', { taskId: '' }, 'taskId', '`taskId` ("")'],
    ['F7: a missing taskId', { taskId: undefined }, 'taskId', '`taskId` (undefined)'],
    ['F7: a groupId of 256 characters', { groupId: 'g'.repeat(256) }, 'groupId', 'has 256 characters'],
  ])('%s is refused in the original’s words', (_, wrong, field, message) => {
    const error = optionErrorOf(() => fromWarmBackupConfig({ ...RECORD, ...wrong } as WarmBackupConfig));
    expect(error.field).toBe(field);
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('postgres');
  });

  it('makes a coordinator', async () => {
    const { coordinator, groupId } = fromWarmBackupConfig(RECORD);
    const { memberId, ...timings } = coordinator;
    const rig = new CoordinatorRig();
    const node = rig.start(memberId, timings);
    void node.lead(groupId);
    await rig.until('it leads', () => node.isLeading('nightly-report'));
    expect(rig.database.members(rig.storeNow)).toMatchObject([{ memberId: 'node-1', ttlMs: 30_000 }]);
  });
});
