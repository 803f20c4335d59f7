import { describe, expect, it } from 'vitest';
import { storeClients } from '../test-support/store-clients.js';
import { compileHintSql } from './hint-sql.js';
import { sqliteSchema } from './sqlite-schema.js';

describe('the statements of hints', () => {
  const clients = storeClients();

  it('look up what they are asked for, and walk through neither all leases nor all terms, also in an analyzed database', async () => {
    const [store] = await clients.open(1);
    for (const sessionId of ['s', 't']) {
      await store.openSession({ sessionId, memberId: 'm', ttlMs: 600_000 });
      const groupIds = Array.from({ length: 1_000 }, (_group, at) => `${sessionId}-${at}`);
      await store.claim(sessionId, groupIds);
    }
    const database = clients.database();
    database.exec('analyze');
    const { changedGroups, resignGroups } = compileHintSql(sqliteSchema('wb_').db);
    for (const { sql, bind } of [changedGroups, resignGroups]) {
      const plan = database
        .prepare(`explain query plan ${sql}`)
        .all(...bind({ sessionIds: '["s"]', limit: 501 }))
        .map((row) => (row as { readonly detail: string }).detail);
      expect(
        plan.filter((line) => /^SCAN (l|t|s)\b/.test(line)),
        sql,
      ).toEqual([]);
      expect(plan.filter((line) => /^SEARCH (l|t) /.test(line)).length).toBeGreaterThan(1);
    }
  });
});
