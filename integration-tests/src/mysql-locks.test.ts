import { mysqlLeaseStore } from '@wb/mysql';
import type { LeaseStore } from '@wb/core';
import { createPool } from 'mysql2';
import { expect, it } from 'vitest';
import { describeMysql, type MysqlLab } from './servers/mysql-lab.js';

const LONG_TTL_MS = 600_000;

async function untilDead(store: LeaseStore, sessionId: string): Promise<void> {
  while ((await store.members()).some((member) => member.sessionId === sessionId));
}

async function open(store: LeaseStore, sessionId: string, ttlMs = LONG_TTL_MS): Promise<string> {
  await store.openSession({ sessionId, memberId: 'm', ttlMs });
  return sessionId;
}

interface PatchedConnection {
  query(query: { readonly sql: string }, callback: (error: unknown, results: unknown) => void): unknown;
}

/** A client on a pool of the user's that takes one statement at a time, and stops for good before it sends the last one of a row of them. */
function stoppingStore(lab: MysqlLab, stopsBefore: readonly RegExp[]): { readonly store: LeaseStore; readonly stopped: Promise<void> } {
  const pool = createPool({ uri: lab.url });
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const awaited = [...stopsBefore];
  pool.on('connection', (made) => {
    const connection = made as unknown as PatchedConnection;
    const query = connection.query.bind(connection);
    connection.query = (options, callback) => {
      if (awaited[0]?.test(options.sql) === true) awaited.shift();
      return awaited.length === 0 ? stop() : query(options, callback);
    };
    lab.onEnd(async () => made.destroy());
  });
  const store = mysqlLeaseStore({ pool, namespace: lab.namespace });
  lab.onEnd(() => store.close());
  return { store, stopped };
}

/** A client on a pool of the user's that takes one statement at a time. */
function plainStore(lab: MysqlLab): LeaseStore {
  const pool = createPool({ uri: lab.url });
  const store = mysqlLeaseStore({ pool, namespace: lab.namespace });
  lab.onEnd(() => pool.promise().end());
  return store;
}

describeMysql('locks', (lab) => {
  for (const way of ['in one packet', 'statement by statement'] as const) {
    it(`T1: a heartbeat whose row was locked past the expiry is refused, although it was sent before (${way})`, async () => {
      const other = await lab().store();
      const store = way === 'in one packet' ? await lab().store() : plainStore(lab());
      await store.members();
      await open(store, 's', 400);
      const connection = await lab().connection();
      await connection.query('start transaction');
      await connection.query(`select * from ${lab().table('session')} where session_id = 's' for update`);
      const heartbeat = store.heartbeat({ sessionId: 's', holders: [] });
      await lab().untilSomeoneWaits();
      await untilDead(other, 's');
      await connection.query('commit');
      expect(await heartbeat).toEqual({ alive: false });
      expect(await store.heartbeat({ sessionId: 's', holders: [] })).toEqual({ alive: false });
    });
  }

  it('L5: a claim waits for a heartbeat that is not committed yet, and is then refused', async () => {
    const store = await lab().store();
    await open(store, 'holder', 300);
    await open(store, 'rival');
    await store.claim('holder', ['g']);
    const connection = await lab().connection();
    await connection.query('start transaction');
    await connection.query(`update ${lab().table('session')} set expires_at_ms = expires_at_ms + 60000 where session_id = 'holder'`);
    await untilDead(store, 'holder');
    const claim = store.claim('rival', ['g']);
    await lab().untilSomeoneWaits();
    await connection.query('commit');
    const [result] = await claim;
    // The rival's ttl is shorter than what was added: an expiry that is too far away is drawn in, never past now + TTL.
    expect(result).toMatchObject({ kind: 'refused', reason: 'held', holder: { sessionId: 'holder' } });
  });

  it('T8: a lease in a frozen transaction is refused as busy, and stalls nobody: neither the rest of the batch nor the claimant', async () => {
    const store = await lab().store();
    await open(store, 'dying');
    await open(store, 'rival');
    await store.claim('dying', ['fenced', 'free']);
    const connection = await lab().connection();
    await connection.query('start transaction');
    await connection.query(`select * from ${lab().table('lease')} where group_id = 'fenced' for update`);
    // A leader that lives is named, whether its lease is locked or not.
    expect(await store.claim('rival', ['fenced'])).toMatchObject([{ reason: 'held', holder: { sessionId: 'dying' } }]);
    await store.closeSession('dying');
    const results = await store.claim('rival', ['fenced', 'free', 'new'], { signal: AbortSignal.timeout(1_500) });
    expect(results).toMatchObject([{ reason: 'busy' }, { kind: 'granted', term: 2 }, { kind: 'granted', term: 1 }]);
    await connection.query('rollback');
    expect(await store.claim('rival', ['fenced'])).toMatchObject([{ kind: 'granted', term: 2, fresh: true }]);
  });

  for (const [where, stopsBefore] of [
    ['before it grants', [/^update.*term \+ 1/]],
    ['before it commits', [/^update.*term \+ 1/, /^commit/]],
  ] as const) {
    it(`T9: a client that takes one statement at a time, and stops in the middle of a claim, ${where}, holds nobody up`, async () => {
      const store = await lab().store();
      await open(store, 'before');
      await open(store, 'rival');
      // What nobody ever led is granted by another statement.
      await store.claim('before', ['g', 'h']);
      await store.closeSession('before');
      const { store: stopping, stopped } = stoppingStore(lab(), stopsBefore);
      const frozen = await lab().store();
      await open(frozen, 'frozen');
      const stuck = stopping.claim('frozen', ['g', 'h'], { signal: new AbortController().signal });
      stuck.catch(() => undefined);
      await stopped;
      // The server ends a silent client's transaction: long before its own default of hours.
      await expect.poll(() => store.claim('rival', ['g']), { timeout: 10_000 }).toMatchObject([{ kind: 'granted' }]);
      expect((await store.heartbeat({ sessionId: 'frozen', holders: [] })).alive).toBe(true);
    });
  }

  it('H3: the record of a group has a hundred rows at most, also when a batch has older and newer groups', async () => {
    const store = await lab().store();
    const connection = await lab().connection();
    await open(store, 's');
    for (let term = 1; term <= 103; term += 1) {
      const results = await store.claim('s', term < 100 ? ['old'] : ['new', 'old']);
      await store.release(
        's',
        results.map((result) => ({ groupId: result.groupId, term: result.kind === 'granted' ? result.term : 0 })),
      );
    }
    const [rows] = await connection.query(
      `select group_id as name, min(term) as first, count(*) as count from ${lab().table('term')} group by group_id order by 1`,
    );
    expect(rows).toEqual([
      { name: 'new', first: 1, count: 4 },
      { name: 'old', first: 4, count: 100 },
    ]);
  });

  it('L3: a release frees each of the names that it was given, also those that a language takes for the same, and no other term', async () => {
    const store = await lab().store();
    await open(store, 's');
    const names = ['Straße', 'STRASSE', 'strasse', 'strasse '];
    await store.claim('s', names);
    await store.release('s', [{ groupId: 'strasse', term: 1 }]);
    await store.claim('s', ['strasse']);
    const crossed = [
      { groupId: 'STRASSE', term: 2 },
      { groupId: 'strasse', term: 1 },
    ];
    expect((await store.release('s', crossed)).map(({ kind }) => kind)).toEqual(['not-held', 'not-held']);
    expect(await store.held('s')).toMatchObject({ leases: { length: 4 } });
    const stale = names.map((groupId) => ({ groupId, term: 1 }));
    expect((await store.release('s', stale)).map(({ kind }) => kind)).toEqual(['released', 'released', 'not-held', 'released']);
    expect(await store.held('s')).toMatchObject({ leases: [{ groupId: 'strasse', term: 2 }] });
  });

  it('T8: a release waits for the transaction that holds its lease, and answers for certain', async () => {
    const store = await lab().store();
    await open(store, 's');
    await store.claim('s', ['fenced', 'free']);
    const connection = await lab().connection();
    await connection.query('start transaction');
    await connection.query(`select * from ${lab().table('lease')} where group_id = 'fenced' for update`);
    const leases = ['free', 'fenced'].map((groupId) => ({ groupId, term: 1 }));
    const aborted = store.release('s', leases, { signal: AbortSignal.timeout(200) });
    await expect(aborted).rejects.toMatchObject({ code: 'STORE_TIMEOUT', isRetryable: true });
    const release = store.release('s', leases);
    expect((await store.heartbeat({ sessionId: 's', holders: [] })).alive).toBe(true);
    await connection.query('rollback');
    expect(await release).toMatchObject([{ kind: 'not-held' }, { kind: 'released' }]);
    expect(await store.heartbeat({ sessionId: 's', holders: ['s'] })).toMatchObject({ holders: [{ releaseCount: 2 }] });
  });

  it('a claim that is chosen as the victim of a deadlock is repeated, and counted once', async () => {
    const store = await lab().store();
    await open(store, 'a');
    await open(store, 'dead', 1);
    await open(store, 'holder', 200);
    await store.claim('holder', ['g']);
    await untilDead(store, 'holder');
    const connection = await lab().connection();
    const deadlocks = await lab().metric('lock_deadlocks');
    await connection.query('start transaction');
    // Heavier than the claim: the server rolls back the lighter one.
    await connection.query(`insert into ${lab().table('contender')} (session_id, group_id)
      select 'x', j.v from json_table('${JSON.stringify(Array.from({ length: 500 }, (_, at) => String(at)))}', '$[*]' columns (v varchar(9) path '$')) j`);
    await connection.query(`select * from ${lab().table('session')} where session_id = 'holder' for update`);
    const claim = store.claim('a', ['g']);
    await lab().untilSomeoneWaits();
    await connection.query(`update ${lab().table('session')} set metadata = '{"by":"other"}' where session_id = 'a'`);
    await connection.query('commit');
    expect(await claim).toEqual([{ kind: 'granted', groupId: 'g', term: 2, fresh: true }]);
    expect(await lab().metric('lock_deadlocks')).toBeGreaterThan(deadlocks);
    expect(await store.held('a')).toEqual({ alive: true, grantCount: 1, leases: [{ groupId: 'g', term: 2 }] });
  });

  it('a wait for a lock that the server gives up is taken up again within the deadline', async () => {
    const store = await lab().store();
    await open(store, 's');
    const connection = await lab().connection();
    await connection.query('start transaction');
    await connection.query(`select * from ${lab().table('session')} where session_id = 's' for update`);
    const before = await lab().metric('lock_timeouts');
    const heartbeat = store.heartbeat({ sessionId: 's', holders: [] });
    await lab().until("select `count` as n from information_schema.innodb_metrics where name = 'lock_timeouts'", (n) => n > before);
    await connection.query('commit');
    expect(await heartbeat).toMatchObject({ alive: true });
  });

  it('O1: a write of a job waits for no heartbeat, and keeps none waiting', async () => {
    const store = await lab().store();
    const sessionId = await open(store, 'leader');
    await store.claim(sessionId, ['g']);
    const write = async (expectedVersion: number): Promise<unknown> =>
      await store.writeJob?.({
        groupId: 'g',
        jobId: 'job',
        lease: { sessionId, term: 1 },
        expectedVersion,
        writeId: `w${expectedVersion}`,
        record: 'r',
      });
    const connection = await lab().connection();
    // A heartbeat that has not committed.
    await connection.query('start transaction');
    await connection.query(`update ${lab().table('session')} set expires_at_ms = expires_at_ms + 1`);
    expect(await write(0)).toEqual({ kind: 'written', version: 1 });
    await connection.query('commit');
    // A write that has its lease, and waits for its record.
    await connection.query('start transaction');
    await connection.query(`select * from ${lab().table('job')} for update`);
    const late = write(1);
    await lab().untilSomeoneWaits();
    expect(await store.heartbeat({ sessionId, holders: [] })).toMatchObject({ alive: true });
    await connection.query('commit');
    expect(await late).toEqual({ kind: 'written', version: 2 });
  });
});
