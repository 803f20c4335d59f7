import { describe, expect, it } from 'vitest';
import { postgresLeaseStore } from './postgres-lease-store.js';
import type { UserPoolClient } from './user-pool.js';

/** A pool whose server can be told which history it writes; it answers as if every session were alive. */
function fakePool(): {
  readonly pool: { connect(): Promise<UserPoolClient>; end(): Promise<void> };
  timeline: string;
  readonly sent: string[];
} {
  const fake = {
    timeline: '1/00000001',
    sent: [] as string[],
    pool: {
      connect: (): Promise<UserPoolClient> => {
        const { timeline } = fake;
        return Promise.resolve({
          query: (text: string): Promise<unknown> => {
            if (text.includes('pg_walfile_name')) return Promise.resolve({ rows: [{ identity: timeline }] });
            fake.sent.push(text);
            const row = { opened: 1, hasLongDead: 0, closed: 0, grantCount: 0, rank: 0, holders: null, leaseCount: 0, contenderCount: 0 };
            return Promise.resolve([{ rows: [] }, { rows: [{ readOnly: 'off' }] }, { rows: [row] }]);
          },
          on: () => undefined,
          listeners: () => [],
          removeListener: () => undefined,
          release: () => undefined,
        });
      },
      end: () => Promise.resolve(),
    },
  };
  return fake;
}

describe('after a failover to a server with another history (T6)', () => {
  it('a session that was opened before is over, whatever its row says; one that is opened then lives', async () => {
    const fake = fakePool();
    const store = postgresLeaseStore({ pool: fake.pool });
    await store.openSession({ sessionId: 'before', memberId: 'm', ttlMs: 1_000 });
    expect((await store.heartbeat({ sessionId: 'before', holders: [] })).alive).toBe(true);
    fake.timeline = '1/00000002';
    fake.sent.length = 0;
    expect(await store.claim('before', ['group'])).toEqual([{ kind: 'refused', groupId: 'group', reason: 'session-dead' }]);
    // Nothing was written: closing it is up to its leader, once its work has settled (T7).
    expect(fake.sent).toEqual([]);
    await store.openSession({ sessionId: 'after', memberId: 'm', ttlMs: 1_000 });
    expect((await store.heartbeat({ sessionId: 'after', holders: [] })).alive).toBe(true);
  });

  it.each(['heartbeat', 'held'] as const)('%s says that it is dead', async (method) => {
    const fake = fakePool();
    const store = postgresLeaseStore({ pool: fake.pool });
    await store.openSession({ sessionId: 'before', memberId: 'm', ttlMs: 1_000 });
    fake.timeline = '1/00000002';
    const answer = method === 'heartbeat' ? await store.heartbeat({ sessionId: 'before', holders: [] }) : await store.held('before');
    expect(answer.alive).toBe(false);
  });
});
