import pg from 'pg';
import { expect, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { openSession, PostgresBench } from './servers/postgres-bench.js';

/** What `explain` says of one node. */
interface PlanNode {
  readonly 'Rows Removed by Join Filter'?: number;
  readonly 'Rows Removed by Filter'?: number;
  readonly 'Actual Loops'?: number;
  readonly Plans?: readonly PlanNode[];
}

const GROUPS = 3_000;

describeServer('postgres', 'plans', ({ url }) => {
  it.each([
    ['closeSession', 'were never analyzed'],
    ['closeSession', 'were analyzed'],
    ['release', 'were never analyzed'],
    ['release', 'were analyzed'],
    ['claim', 'were never analyzed'],
    ['claim', 'were analyzed'],
  ] as const)('§8: %s of thousands of groups compares no two sets row by row, in tables that %s', async (operation, statistics) => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated({ config: { connectionString: bench.url, max: 1 } });
    const admin = await bench.client();
    for (const table of ['lease', 'term']) await admin.query(`alter table "${bench.namespace}${table}" set (autovacuum_enabled = off)`);
    const sessionId = await openSession(store, 'many');
    const groupIds = Array.from({ length: GROUPS }, (_group, at) => `group-${at}`);
    await store.claim(sessionId, groupIds);
    if (statistics === 'were analyzed') {
      // Each group was led many times: what is looked up by its key then seems to be one row of many.
      await admin.query(`insert into ${bench.table('term')} (group_id, term, session_id, member_id, began_at_ms)
          select group_id, term + n, session_id, member_id, began_at_ms from ${bench.table('term')} cross join generate_series(1000, 1040) n`);
      for (const table of ['lease', 'term', 'session'] as const) await admin.query(`analyze ${bench.table(table)}`);
    }
    const leases = groupIds.slice(0, 1_000).map((groupId) => ({ groupId, term: 1 }));
    if (operation === 'claim') await store.release(sessionId, leases);
    const call = {
      closeSession: () => store.closeSession(sessionId),
      release: () => store.release(sessionId, leases),
      claim: () => store.claim(sessionId, groupIds.slice(0, 1_000)),
    }[operation];
    const plan = await planOf(call);
    // Of 1,000 leases with 3,000 rows, one by one: millions.
    expect(removed(plan, 'Rows Removed by Join Filter')).toBeLessThan(10 * GROUPS);
  });

  it('§8: closing a session without leases does not walk through those of others, whatever the statistics say', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated({ config: { connectionString: bench.url, max: 1 } });
    const admin = await bench.client();
    // Each session has a lot of them: then a walk through all leases, in their order, seems to find the first few soon.
    for (let at = 0; at < 10; at += 1)
      await store.claim(
        await openSession(store, `many-${at}`),
        Array.from({ length: GROUPS / 10 }, (_group, index) => `group-${at}-${index}`),
      );
    await admin.query(`analyze "${bench.namespace}lease"`);
    const sessionId = await openSession(store, 'none');
    const plan = await planOf(() => store.closeSession(sessionId));
    expect(removed(plan, 'Rows Removed by Filter')).toBeLessThan(GROUPS / 100);
  });
});

/** The plan that the server keeps of the one statement that a call sends, and what it did by it; the call fails. */
async function planOf(call: () => Promise<unknown>): Promise<PlanNode> {
  const explained: PlanNode[] = [];
  const original = Reflect.get(pg.Client.prototype, 'query') as (...values: unknown[]) => Promise<unknown>;
  Reflect.set(pg.Client.prototype, 'query', async function explaining(this: pg.Client, query: { text: string; values: unknown[] }) {
    const { text, values } = query;
    // Explained as a text, it would be planned for these values alone.
    await original.call(this, `prepare explained as ${text}`);
    const execution = `execute explained (${values.map((value) => pg.escapeLiteral(String(value))).join(', ')})`;
    const result = (await original.call(this, `explain (analyze, format json) ${execution}`)) as pg.QueryResult<{
      'QUERY PLAN': readonly { readonly Plan: PlanNode }[];
    }>;
    explained.push(result.rows[0]!['QUERY PLAN'][0]!.Plan);
    throw new Error('explained');
  });
  try {
    await expect(call()).rejects.toThrow('explained');
  } finally {
    Reflect.set(pg.Client.prototype, 'query', original);
  }
  expect(explained).toHaveLength(1);
  return explained[0]!;
}

function removed(node: PlanNode, by: 'Rows Removed by Join Filter' | 'Rows Removed by Filter'): number {
  const own = (node[by] ?? 0) * (node['Actual Loops'] ?? 1);
  return (node.Plans ?? []).reduce((sum, each) => sum + removed(each, by), own);
}
