import type { BareClient, BenchDatabase } from '../databases/bench-database.js';

/**
 * The least that can be called a lock: a row, and one conditional update to take it or to give it back. It knows no sessions and so no expiry, keeps no record, and tells nobody: what a store does
 * beyond that is what the ratio is made of.
 */
export interface BareLock {
  /** Takes one, if it is free. */
  readonly claim: (group: string, holder: string) => Promise<boolean>;
  readonly release: (group: string, holder: string) => Promise<unknown>;
  /** Takes all that are free: one bulk update. */
  readonly claimAll: (holder: string) => Promise<number>;
  readonly releaseAll: (holder: string) => Promise<number>;
}

/** Makes the table, with a row for each group, as long as `groups` are. */
export async function createBareLock(
  database: BenchDatabase,
  bare: BareClient,
  namespace: string,
  groups: readonly string[],
): Promise<BareLock> {
  const table = database.table(namespace, 'lock');
  await bare.query(`create table ${table} (group_id varchar(255) not null primary key, holder varchar(255), term bigint not null)`, []);
  for (let at = 0; at < groups.length; at += 500) {
    const part = groups.slice(at, at + 500);
    await bare.query(`insert into ${table} (group_id, term) values ${part.map(() => '(?, 0)').join(', ')}`, part);
  }
  return {
    claim: async (group, holder) =>
      (await bare.query(`update ${table} set holder = ?, term = term + 1 where group_id = ? and holder is null`, [holder, group])) === 1,
    release: (group, holder) => bare.query(`update ${table} set holder = null where group_id = ? and holder = ?`, [group, holder]),
    claimAll: (holder) => bare.query(`update ${table} set holder = ?, term = term + 1 where holder is null`, [holder]),
    releaseAll: (holder) => bare.query(`update ${table} set holder = null where holder = ?`, [holder]),
  };
}
