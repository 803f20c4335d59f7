import type { LeaseStore, LeaseStoreCapabilities, TermRecord } from '@wb/core';
import type { CaseContext } from '../case-context.js';
import { pass, until } from '../clock.js';
import type { ConformanceCase } from '../conformance-case.js';
import { equal, holds } from '../conformance-failure.js';
import type { ConformanceTarget } from '../target.js';

/** How many terms of a group are kept at most. */
const KEPT = 100;

function needsHistory(_target: ConformanceTarget, { history }: LeaseStoreCapabilities): string | null {
  return history ? null : 'the store keeps no record of terms (`capabilities.history` is false)';
}

async function historyOf(store: LeaseStore, groupId: string, limit: number = KEPT): Promise<readonly TermRecord[]> {
  return await store.history!([groupId], limit);
}

/** What a record says, its ages aside. */
function saying(records: readonly TermRecord[]): unknown[] {
  return records.map(({ term, sessionId, memberId, endReason }) => [term, sessionId, memberId, endReason]);
}

/** One turn: a grant and a release. */
async function turn(context: CaseContext, store: LeaseStore, sessionId: string, groupId: string): Promise<void> {
  const term = await context.grant(store, sessionId, groupId);
  await store.release(sessionId, [{ groupId, term }]);
}

/** H1–H3: the record of terms, where the store keeps one. */
export const termCases: readonly ConformanceCase[] = [
  {
    id: 'H1.1',
    title: 'every fresh grant is in the record as soon as it is answered, in every way in which it can come, and a repeated claim is not',
    skip: needsHistory,
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const groupId = context.name('group');
      equal('the record of a group that nobody led', await historyOf(other!, groupId), []);
      const first = await context.session(store!, { memberId: 'first' });
      await context.grant(store!, first, groupId);
      await context.claim(store!, first, groupId);
      equal('after the first grant', saying(await historyOf(other!, groupId)), [[1, first, 'first', null]]);
      await store!.release(first, [{ groupId, term: 1 }]);
      const second = await context.session(other!, { memberId: 'second' });
      await context.grant(other!, second, groupId);
      await store!.closeSession(second);
      await context.grant(store!, first, groupId);
      equal('the latest term first', saying(await historyOf(other!, groupId)), [
        [3, first, 'first', null],
        [2, second, 'second', 'closed'],
        [1, first, 'first', 'released'],
      ]);
      equal(
        'the first two of them',
        (await historyOf(other!, groupId, 2)).map(({ term }) => term),
        [3, 2],
      );
    },
  },
  {
    id: 'H1.2',
    title: 'a batch of groups is recorded as a whole, and read in the order of the request, each group once',
    skip: needsHistory,
    run: async (context) => {
      const store = await context.open();
      const sessionId = await context.session(store, { memberId: 'm' });
      const groupIds = Array.from({ length: 600 }, () => context.name('group'));
      await store.claim(sessionId, groupIds);
      const asked = [...groupIds.toReversed(), groupIds[0]!, context.name('unknown')];
      const records = await store.history!(asked, 1);
      equal(
        'the groups of the answer',
        records.map(({ groupId }) => groupId),
        groupIds.toReversed(),
      );
      equal('the terms', new Set(records.map(({ term, endReason }) => `${term} ${endReason}`)), new Set(['1 null']));
    },
  },
  {
    id: 'H2.1',
    title: 'a release notes its reason; one that frees nothing notes nothing, and cannot change what was noted',
    skip: needsHistory,
    run: async (context) => {
      const store = await context.open();
      const groupId = context.name('group');
      const holder = await context.session(store, { memberId: 'm' });
      const other = await context.session(store, { memberId: 'm' });
      await context.grant(store, holder, groupId);
      await store.release(other, [{ groupId, term: 1, reason: 'not-mine' }]);
      await store.release(holder, [{ groupId, term: 2, reason: 'not-yet' }]);
      equal('after releases that match nothing', saying(await historyOf(store, groupId)), [[1, holder, 'm', null]]);
      await store.release(holder, [{ groupId, term: 1, reason: 'resigned' }]);
      await store.release(holder, [{ groupId, term: 1, reason: 'late' }]);
      equal('after the release', saying(await historyOf(store, groupId)), [[1, holder, 'm', 'resigned']]);
      await context.grant(store, other, groupId);
      await store.release(holder, [{ groupId, term: 1, reason: 'late' }]);
      equal('after the next grant', saying(await historyOf(store, groupId)), [
        [2, other, 'm', null],
        [1, holder, 'm', 'resigned'],
      ]);
    },
  },
  {
    id: 'H2.2',
    title: 'the term of an expired session ends when that expired, before and after somebody takes over',
    skip: needsHistory,
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const groupId = context.name('group');
      const holder = await context.expiredSession(store!, async (sessionId) => {
        await context.claim(store!, sessionId, groupId);
      });
      await pass(50);
      const [before] = await historyOf(other!, groupId);
      equal('before the takeover', [before?.sessionId, before?.endReason], [holder, 'expired']);
      holds('how long ago it ended', (before?.endedAgoMs ?? -1) >= 40, 'at least the 50 ms that passed', before?.endedAgoMs);
      const next = await context.session(other!);
      await context.grant(other!, next, groupId);
      await pass(50);
      const [latest, ended] = await historyOf(other!, groupId);
      equal(
        'after the takeover',
        [latest?.sessionId, latest?.endReason, ended?.sessionId, ended?.endReason],
        [next, null, holder, 'expired'],
      );
      holds(
        'that the one ended before the other began, and after it had begun',
        ended!.endedAgoMs! >= latest!.beganAgoMs && ended!.endedAgoMs! <= ended!.beganAgoMs,
        `${latest!.beganAgoMs} ≤ … ≤ ${ended!.beganAgoMs}`,
        ended!.endedAgoMs,
      );
    },
  },
  {
    id: 'H2.3',
    title: 'a release says the time at which it was made, by the store, and a live term has no end',
    skip: needsHistory,
    run: async (context) => {
      const store = await context.open();
      const groupId = context.name('group');
      const sessionId = await context.session(store);
      await context.grant(store, sessionId, groupId);
      await pass(60);
      equal('the end of a live term', (await historyOf(store, groupId))[0]!.endedAgoMs, null);
      await store.release(sessionId, [{ groupId, term: 1 }]);
      await pass(60);
      const [record] = await historyOf(store, groupId);
      holds('how long ago it ended', record!.endedAgoMs! >= 50, 'at least the 60 ms that passed', record!.endedAgoMs);
      holds('how long it was led', record!.beganAgoMs - record!.endedAgoMs! >= 50, 'at least the 60 ms that passed', record);
    },
  },
  {
    id: 'H3.1',
    title: `the last ${KEPT} terms of a group are kept, and the record does not grow beyond that`,
    skip: needsHistory,
    run: async (context) => {
      const store = await context.open();
      const groupId = context.name('group');
      const sessionId = await context.session(store);
      for (let term = 1; term <= KEPT + 3; term += 1) await turn(context, store, sessionId, groupId);
      const terms = (await historyOf(store, groupId)).map(({ term }) => term);
      equal('the terms that are kept', [terms.length, terms[0], terms.at(-1)], [KEPT, KEPT + 3, 4]);
      equal('what another group has', await historyOf(store, context.name('group')), []);
    },
  },
  {
    id: 'H3.2',
    title: 'the record outlives the session that led',
    skip: (target, capabilities) =>
      needsHistory(target, capabilities) ??
      (target.sessionRetentionMs === undefined ? 'the target does not say when sessions are pruned' : null),
    run: async (context) => {
      const store = await context.open();
      const groupId = context.name('group');
      const holder = await context.expiredSession(store, async (sessionId) => {
        await context.claim(store, sessionId, groupId);
      });
      const retentionMs = context.target.sessionRetentionMs!;
      await pass(retentionMs + 100);
      // Opening sessions prunes; a few times, because it may do so a little at a time.
      for (let i = 0; i < 3; i += 1) await context.session(store);
      const [record] = await historyOf(store, groupId);
      equal('who led, and why it ended', [record?.sessionId, record?.endReason], [holder, 'expired']);
      holds('how long ago', (record?.endedAgoMs ?? 0) >= retentionMs, `at least ${retentionMs} ms`, record?.endedAgoMs);
    },
  },
];

function needsResign(_target: ConformanceTarget, { resignRequests }: LeaseStoreCapabilities): string | null {
  return resignRequests ? null : 'the store passes on no requests to resign (`capabilities.resignRequests` is false)';
}

async function grantCountOf(store: LeaseStore, sessionId: string): Promise<number> {
  const result = await store.heartbeat({ sessionId, holders: [] });
  return result.alive ? result.grantCount : -1;
}

/** R1–R3: requests to resign, where the store passes them on. */
export const resignCases: readonly ConformanceCase[] = [
  {
    id: 'R1.1',
    title: "a request counts up on the holder's session and marks that one lease, and nothing else",
    skip: needsResign,
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const [groupId, kept] = [context.name('group'), context.name('group')];
      const holder = await context.session(store!, { memberId: 'leader' });
      const standby = await context.session(other!);
      await store!.claim(holder, [groupId, kept]);
      const before = await grantCountOf(store!, holder);
      const answer = await other!.requestResign!(groupId);
      equal('the answer', [answer.kind, answer.kind === 'requested' && answer.holder.sessionId], ['requested', holder]);
      equal('the count of the holder', await grantCountOf(store!, holder), before + 1);
      equal('the count of another session', await grantCountOf(other!, standby), 0);
      const held = await store!.held(holder);
      equal('the count together with the leases', held.grantCount, before + 1);
      equal(
        'which leases are marked',
        new Map(held.leases.map((lease) => [lease.groupId, lease.resignRequested ?? false])),
        new Map([
          [groupId, true],
          [kept, false],
        ]),
      );
      const again = await context.claim(store!, holder, groupId);
      equal('that the lease is still held', again.kind === 'granted' && !again.fresh, true);
    },
  },
  {
    id: 'R2.1',
    title: 'nobody is asked for a group that nobody leads: never held, released, or of a dead session',
    skip: needsResign,
    run: async (context) => {
      const store = await context.open();
      const [never, released, closed, expired] = [1, 2, 3, 4].map(() => context.name('group'));
      const holder = await context.session(store);
      await turn(context, store, holder, released!);
      const gone = await context.session(store);
      await context.grant(store, gone, closed!);
      await store.closeSession(gone);
      await context.expiredSession(store, async (sessionId) => {
        await context.claim(store, sessionId, expired!);
      });
      const before = await grantCountOf(store, holder);
      for (const groupId of [never, released, closed, expired]) {
        equal(`the answer for ${groupId}`, await store.requestResign!(groupId!), { kind: 'not-held' });
      }
      equal('the count of the one that released', await grantCountOf(store, holder), before);
    },
  },
  {
    id: 'R3.1',
    title: 'a request that is repeated counts once, also by many at once; it ends with the term, and the next term can be asked anew',
    skip: needsResign,
    run: async (context) => {
      const stores = await context.openMany(4);
      const store = stores[0]!;
      const groupId = context.name('group');
      const holder = await context.session(store);
      await context.grant(store, holder, groupId);
      const before = await grantCountOf(store, holder);
      await Promise.all(stores.flatMap((each) => [each.requestResign!(groupId), each.requestResign!(groupId)]));
      await store.requestResign!(groupId);
      equal('the count', await grantCountOf(store, holder), before + 1);
      await store.release(holder, [{ groupId, term: 1 }]);
      await context.grant(store, holder, groupId);
      equal(
        'the mark in the next term',
        (await store.held(holder)).leases.map(({ term, resignRequested = false }) => [term, resignRequested]),
        [[2, false]],
      );
      await store.requestResign!(groupId);
      equal('the mark after another request', (await store.held(holder)).leases[0]?.resignRequested, true);
      equal('the count after it', await grantCountOf(store, holder), before + 3);
    },
  },
  {
    id: 'R1.2',
    title: 'a hint names the group whose leader was asked, where the store can push one',
    skip: (target, capabilities) =>
      needsResign(target, capabilities) ?? (capabilities.watch ? null : 'the store pushes no hints (`capabilities.watch` is false)'),
    run: async (context) => {
      const [store, watcher] = await context.openMany(2);
      const groupId = context.name('group');
      const holder = await context.session(store!);
      await context.grant(store!, holder, groupId);
      await pass(100);
      let isHinted = false;
      const watch = await watcher!.watch!((hint) => {
        if (hint.groupIds === undefined || (hint.resign === true && hint.groupIds.includes(groupId))) isHinted = true;
      });
      await store!.requestResign!(groupId);
      equal('a hint within 2 s', await until(() => Promise.resolve(isHinted ? true : undefined), 2_000), true);
      await watch[Symbol.asyncDispose]();
    },
  },
];
