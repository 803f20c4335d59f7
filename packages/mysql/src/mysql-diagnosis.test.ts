import { describe, expect, it } from 'vitest';
import { durabilityFinding, permissionsFinding, replicationFinding, versionFinding, type Settings } from './mysql-diagnosis.js';

const settings = (values: Readonly<Record<string, string>>): Settings => new Map(Object.entries(values));
const LOGGED = { log_bin: 'ON', binlog_format: 'ROW', sync_binlog: '1' };
const SEMI_SYNC = { ...LOGGED, rpl_semi_sync_source_enabled: 'ON', rpl_semi_sync_source_status: 'ON', rpl_semi_sync_source_clients: '2' };

describe('the grants that the doctor asks for', () => {
  const advice = (role: string, place: string): string | undefined =>
    permissionsFinding([{ table: '`wb_lease`', isThere: true, lacking: ['delete'] }], { role, place }).advice;

  it('are statements, whatever is in the names', () => {
    expect(advice('app@%', 'main')).toBe("grant delete on `main`.`wb_lease` to 'app'@'%';");
    expect(advice("o'neil@localhost", 'a`b')).toBe("grant delete on `a``b`.`wb_lease` to `o'neil`@'localhost';");
    expect(advice('a\\b`@c@%', 'main')).toBe("grant delete on `main`.`wb_lease` to `a\\b``@c`@'%';");
  });
});

describe('what the doctor says of replication', () => {
  it.each([
    ['no binary log', { log_bin: 'OFF' }, 'ok', /^none/],
    ['asynchronous replication, perhaps', LOGGED, 'note', /if there are replicas, a failover may lose the last commits/],
    ['statements in the log', { ...LOGGED, binlog_format: 'STATEMENT' }, 'problem', /binlog_format is STATEMENT/],
    [
      'semi-synchronous',
      { ...SEMI_SYNC, rpl_semi_sync_source_wait_point: 'AFTER_SYNC' },
      'ok',
      /^semi-synchronous \(AFTER_SYNC\), replicas: 2$/,
    ],
    [
      'semi-synchronous, after the commit',
      { ...SEMI_SYNC, rpl_semi_sync_source_wait_point: 'AFTER_COMMIT' },
      'note',
      /AFTER_COMMIT.*may lose/,
    ],
    [
      'semi-synchronous, fallen back',
      { ...SEMI_SYNC, rpl_semi_sync_source_wait_point: 'AFTER_SYNC', rpl_semi_sync_source_status: 'OFF' },
      'note',
      /may lose/,
    ],
    [
      'semi-synchronous, by its old name, and nobody there',
      {
        ...LOGGED,
        rpl_semi_sync_master_enabled: 'ON',
        rpl_semi_sync_master_status: 'ON',
        rpl_semi_sync_master_clients: '0',
        rpl_semi_sync_master_wait_point: 'AFTER_SYNC',
      },
      'note',
      /acknowledge: 0/,
    ],
    ['Group Replication', { ...LOGGED, group_replication_group_name: 'aaaa-bbbb' }, 'note', /^Group Replication, group aaaa-bbbb$/],
    [
      'Galera',
      { wsrep_on: 'ON', wsrep_cluster_name: 'c', wsrep_cluster_size: '3', wsrep_ready: 'ON' },
      'note',
      /^Galera, cluster c, nodes: 3$/,
    ],
    [
      'a Galera node that is alone',
      { wsrep_on: 'ON', wsrep_cluster_name: 'c', wsrep_cluster_size: '1', wsrep_ready: 'OFF' },
      'problem',
      /not ready/,
    ],
    ['Galera that is compiled in, and off', { wsrep_on: 'OFF', log_bin: 'OFF' }, 'ok', /^none/],
  ] as const)('%s', (_title, values, state, summary) => {
    expect(replicationFinding(settings(values))).toMatchObject({ state, summary: expect.stringMatching(summary) as string });
  });
});

describe('what the doctor says of durability', () => {
  it.each([
    ['safe', { ...LOGGED, innodb_flush_log_at_trx_commit: '1' }, 'ok'],
    ['safe, and without a log', { log_bin: 'OFF', sync_binlog: '0', innodb_flush_log_at_trx_commit: '1' }, 'ok'],
    ['flushed each second', { ...LOGGED, innodb_flush_log_at_trx_commit: '2' }, 'problem'],
    ['a log that is flushed now and then', { ...LOGGED, sync_binlog: '1000', innodb_flush_log_at_trx_commit: '1' }, 'note'],
  ] as const)('%s', (_title, values, state) => {
    const { state: found, advice } = durabilityFinding(settings(values));
    expect([found, advice === undefined]).toEqual([state, state === 'ok']);
  });
});

describe('what the doctor says of the version', () => {
  it.each([
    ['8.0.16', 'problem'],
    ['8.0.17', 'ok'],
    ['8.4.0-log', 'ok'],
    ['9.7.4-2', 'ok'],
    ['5.7.44', 'problem'],
    ['10.5.29-MariaDB', 'problem'],
    ['10.6.0-MariaDB', 'ok'],
    ['11.8.9-MariaDB-4 from Debian', 'ok'],
    ['nothing', 'problem'],
  ])('%s: %s', (version, state) => {
    expect(versionFinding({ version }).state).toBe(state);
  });
});
