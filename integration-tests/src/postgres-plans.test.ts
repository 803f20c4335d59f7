import pg from 'pg';
import { expect, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { openSession, PostgresBench } from './servers/postgres-bench.js';

/** What `explain` says of one node. */
interface PlanNode {
  readonly 'Rows Removed by Join Filter'?: number;
  readonly 'Actual Loops'?: number;
  readonly Plans?: readonly PlanNode[];
}

const GROUPS = 3_000;

describeServer('postgres', 'plans', ({ url }) => {
  it.each(['closeSession', 'release'] as const)(
    '§8: %s of thousands of groups compares no two sets row by row, also in tables that were never analyzed',
    async (operation) => {
      await using bench = new PostgresBench(url);
      const store = await bench.migrated({ config: { connectionString: bench.url, max: 1 } });
      const admin = await bench.client();
      for (const table of ['lease', 'term']) await admin.query(`alter table "${bench.namespace}${table}" set (autovacuum_enabled = off)`);
      const sessionId = await openSession(store, 'many');
      const groupIds = Array.from({ length: GROUPS }, (_group, at) => `group-${at}`);
      await store.claim(sessionId, groupIds);
      // What the store sends is explained instead: a plan of the whole statement, with what it did.
      const explained: PlanNode[] = [];
      const original = Reflect.get(pg.Client.prototype, 'query') as (...values: unknown[]) => Promise<unknown>;
      Reflect.set(pg.Client.prototype, 'query', async function explaining(this: pg.Client, query: { text: string; values: unknown[] }) {
        const { text, values } = query;
        const result = (await original.call(this, { text: `explain (analyze, format json) ${text}`, values })) as pg.QueryResult<{
          'QUERY PLAN': readonly { readonly Plan: PlanNode }[];
        }>;
        explained.push(result.rows[0]!['QUERY PLAN'][0]!.Plan);
        throw new Error('explained');
      });
      try {
        const leases = groupIds.slice(0, 1_000).map((groupId) => ({ groupId, term: 1 }));
        const call = operation === 'release' ? store.release(sessionId, leases) : store.closeSession(sessionId);
        await expect(call).rejects.toThrow('explained');
      } finally {
        Reflect.set(pg.Client.prototype, 'query', original);
      }
      expect(explained).toHaveLength(1);
      // Of 1,000 leases with 3,000 rows, one by one: millions.
      expect(removedByJoins(explained[0]!)).toBeLessThan(10 * GROUPS);
    },
  );
});

function removedByJoins(node: PlanNode): number {
  const own = (node['Rows Removed by Join Filter'] ?? 0) * (node['Actual Loops'] ?? 1);
  return (node.Plans ?? []).reduce((sum, each) => sum + removedByJoins(each), own);
}
