import { defineLeaseStoreConformance } from '@wb/conformance';
import { postgresLeaseStore } from '@wb/postgres';
import { startPgbouncer, type TestServer } from '@wb/test-servers';
import pg from 'pg';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { testCoordinators } from './coordinators.js';
import { describeServer } from './servers/describe-server.js';
import target from './targets/postgres-pgbouncer.js';

const { url } = inject('servers').postgres;
const pgbouncer: TestServer | null = url === null ? null : await startPgbouncer(url);

afterAll(async () => pgbouncer?.stop());

describeServer('postgres', 'behind PgBouncer in transaction mode', () => {
  if (pgbouncer === null) {
    it('needs PgBouncer', (context) => {
      context.skip('pgbouncer is not installed: Debian has a package of that name');
      expect.unreachable();
    });
    return;
  }
  // The target, and the processes that its cases start, look here.
  process.env['WB_TEST_PGBOUNCER_URL'] = pgbouncer.url;

  defineLeaseStoreConformance({ describe, it }, target);

  describe('coordinators in several processes', () => {
    testCoordinators(target);
  });

  it('L6, T8: a lease is fenced behind it, too, and the hold is bounded', async () => {
    const store = postgresLeaseStore({ connectionString: pgbouncer.url, namespace: 'bouncer_', pooler: true });
    const other = new pg.Client({ connectionString: url! });
    await other.connect();
    try {
      await store.migrate();
      await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 60_000 });
      await store.claim('s', ['g']);
      const lease = { groupId: 'g', term: 1, sessionId: 's' };
      await other.query('create table bouncer_written (n integer)');
      await store.fenced(lease, async (client) => client.query('insert into bouncer_written values (1)'));
      await expect(
        store.fenced(
          lease,
          async (client) => {
            await client.query('insert into bouncer_written values (2)');
            await new Promise((resolve) => setTimeout(resolve, 400));
          },
          { maxHoldMs: 150 },
        ),
      ).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
      await store.release('s', [{ groupId: 'g', term: 1 }]);
      await expect(store.fenced(lease, async (client) => client.query('insert into bouncer_written values (3)'))).rejects.toMatchObject({
        code: 'FENCED',
      });
      expect((await other.query('select n from bouncer_written')).rows).toEqual([{ n: 1 }]);
    } finally {
      await store.close();
      await other.query('drop table if exists bouncer_written');
      await other.end();
      await target.drop!('bouncer_');
    }
  });
});
