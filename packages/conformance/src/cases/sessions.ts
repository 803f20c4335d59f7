import { assertNewSession, type LeaseStore, type MemberView } from '@wb/core';
import { LONG_TTL_MS } from '../case-context.js';
import { nowMs, pass, until } from '../clock.js';
import { aboveZero, between, equal, holds, rejection } from '../conformance-failure.js';
import type { ConformanceCase } from '../conformance-case.js';

/** S1–S5: sessions carry liveness. */
export const sessionCases: readonly ConformanceCase[] = [
  {
    id: 'S1.1',
    title: 'an opened session is live at once, for its TTL',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const sessionId = await context.session(store!, { memberId: 'ada', ttlMs: 5_000 });
      const member = await memberOf(other!, sessionId);
      holds('the new session, asked for by another client', member !== undefined, 'a member', member);
      equal('its memberId', member.memberId, 'ada');
      equal('its ttlMs', member.ttlMs, 5_000);
      aboveZero('its remainingMs', member.remainingMs, 5_000);
      between('its ageMs', member.ageMs, 0, 5_000);
    },
  },
  {
    id: 'S1.2',
    title: 'a heartbeat extends the session to now + TTL, and no further',
    run: async (context) => {
      const store = await context.open();
      const sessionId = await context.session(store, { ttlMs: 2_000 });
      // Until a good part of it is used up, so that an extension shows.
      await until(async () => ((await memberOf(store, sessionId))!.remainingMs < 1_850 ? true : undefined), 5_000);
      equal('the heartbeat of a live session', (await store.heartbeat({ sessionId, holders: [] })).alive, true);
      const sentAtMs = nowMs();
      const { remainingMs } = (await memberOf(store, sessionId))!;
      holds('remainingMs after a heartbeat', remainingMs <= 2_000, 'at most the TTL', remainingMs);
      // What passed between the two calls, and a little for the clocks.
      between('remainingMs after a heartbeat', remainingMs, 2_000 - (nowMs() - sentAtMs) - 100, 2_000);
    },
  },
  {
    id: 'S1.3',
    title: 'heartbeats keep a session alive for many TTLs',
    run: async (context) => {
      const store = await context.open();
      const ttlMs = 400;
      const sessionId = await context.session(store, { ttlMs });
      let lastMs = nowMs();
      for (const endMs = lastMs + 4 * ttlMs; nowMs() < endMs;) {
        await pass(ttlMs / 10);
        const beforeMs = nowMs();
        const { alive } = await store.heartbeat({ sessionId, holders: [] });
        // If this process itself stood still for a TTL, the store is right to say no.
        if (nowMs() - lastMs >= ttlMs) return;
        equal('a heartbeat within the TTL of the one before', alive, true);
        lastMs = beforeMs;
      }
    },
  },
  {
    id: 'S1.4',
    title: 'each session has its own TTL and its own end',
    run: async (context) => {
      const store = await context.open();
      const short = await context.session(store, { ttlMs: 80 });
      const long = await context.session(store, { ttlMs: 5_000 });
      await context.expiry(store, short, 80);
      equal('the heartbeat of the one that has not ended', (await store.heartbeat({ sessionId: long, holders: [] })).alive, true);
      equal('the heartbeat of the one that has', (await store.heartbeat({ sessionId: short, holders: [] })).alive, false);
    },
  },
  {
    id: 'S1.5',
    title: 'an id is opened once: a second time is a fault, whether the first is live, closed or expired',
    run: async (context) => {
      const store = await context.open();
      const live = await context.session(store);
      const closed = await context.session(store);
      await store.closeSession(closed);
      const expired = await context.expiredSession(store);
      for (const sessionId of [live, closed, expired]) {
        const error = await rejection(
          'openSession with an id that exists',
          store.openSession({ sessionId, memberId: 'bob', ttlMs: LONG_TTL_MS }),
        );
        equal('the code of that fault', Reflect.get(error as object, 'code'), 'STORE_SESSION_EXISTS');
      }
      equal(
        'the members afterwards',
        (await store.members()).map((member) => member.sessionId),
        [live],
      );
    },
  },
  {
    id: 'S1.6',
    title: 'two sessions of one memberId are two: a heartbeat of one does not extend the other (F10)',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const dying = await context.session(store!, { memberId: 'twin', ttlMs: 250 });
      const living = await context.session(other!, { memberId: 'twin' });
      const isGone = await until(async () => {
        await other!.heartbeat({ sessionId: living, holders: [dying] });
        return (await memberOf(other!, dying)) === undefined ? true : undefined;
      }, 5_000);
      equal('the end of the twin that sends no heartbeat', isGone, true);
      equal('its own heartbeat then', (await store!.heartbeat({ sessionId: dying, holders: [] })).alive, false);
      equal('the heartbeat of the other', (await other!.heartbeat({ sessionId: living, holders: [] })).alive, true);
    },
  },
  {
    id: 'S1.7',
    title: 'a heartbeat answers about each holder asked for, in their order: the live, the dead, the unknown and the repeated',
    run: async (context) => {
      const store = await context.open();
      const own = await context.session(store);
      const live = await context.session(store, { ttlMs: 5_000 });
      const closed = await context.session(store);
      await store.closeSession(closed);
      const expired = await context.expiredSession(store);
      const holders = [closed, live, 'never-opened', expired, live, own];
      const result = await store.heartbeat({ sessionId: own, holders });
      holds('the heartbeat', result.alive, 'alive', result);
      equal(
        'the holders of the answer',
        result.holders.map((holder) => holder.sessionId),
        holders,
      );
      equal(
        'which of them live',
        result.holders.map((holder) => holder.remainingMs > 0),
        [false, true, false, false, true, true],
      );
      aboveZero('remainingMs of the live one', result.holders[1]!.remainingMs, 5_000);
      equal(
        'remainingMs of the dead',
        [0, 2, 3].map((at) => result.holders[at]!.remainingMs),
        [0, 0, 0],
      );
    },
  },
  {
    id: 'S1.8',
    title: 'grantCount counts every fresh grant, nothing else, and never goes down',
    run: async (context) => {
      const store = await context.open();
      const sessionId = await context.session(store);
      const rival = await context.session(store);
      const count = async (): Promise<number> => {
        const result = await store.heartbeat({ sessionId, holders: [] });
        holds('the heartbeat', result.alive, 'alive', result);
        equal('grantCount of `held`, against that of the heartbeat', (await store.held(sessionId)).grantCount, result.grantCount);
        return result.grantCount;
      };
      equal('grantCount of a new session', await count(), 0);
      const [a, b, c] = [context.name('group'), context.name('group'), context.name('group')];
      await context.grant(store, rival, c);
      await store.claim(sessionId, [a, b, c]);
      equal('grantCount after two grants and one refusal', await count(), 2);
      await store.claim(sessionId, [a]);
      equal('grantCount after claiming again what is held (L3)', await count(), 2);
      await store.release(sessionId, [{ groupId: a, term: 1 }]);
      equal('grantCount after a release', await count(), 2);
      await context.grant(store, sessionId, a);
      equal('grantCount after a grant of what was released', await count(), 3);
    },
  },
  {
    id: 'S1.9',
    title: 'releaseCount tells a standby that its holder has released something, wherever it is asked for',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const holder = await context.session(store!);
      const standby = await context.session(other!);
      const [kept, freed] = [context.name('group'), context.name('group')];
      await store!.claim(holder, [kept, freed]);
      const seen = async (): Promise<number[]> => {
        const refused = await context.claim(other!, standby, kept);
        holds('the claim of a held group', refused.kind === 'refused' && refused.reason === 'held', 'refused as held', refused);
        const heartbeat = await other!.heartbeat({ sessionId: standby, holders: [holder] });
        const [view] = await other!.read([kept]);
        return [refused.holder.releaseCount, heartbeat.alive ? heartbeat.holders[0]!.releaseCount : -1, view?.holder?.releaseCount ?? -1];
      };
      equal('releaseCount before, by claim, heartbeat and read', await seen(), [0, 0, 0]);
      await store!.release(holder, [{ groupId: freed, term: 7 }]);
      equal('releaseCount after a release that did not match', await seen(), [0, 0, 0]);
      await store!.release(holder, [{ groupId: freed, term: 1 }]);
      equal('releaseCount after a release', await seen(), [1, 1, 1]);
    },
  },
  {
    id: 'S1.10',
    title: 'standbyRank is the place in the order of opening, holders and dead sessions left out',
    run: async (context) => {
      const store = await context.open();
      const ids: string[] = [];
      for (let i = 0; i < 4; i += 1) {
        ids.push(await context.session(store));
        // Stores may count in whole milliseconds.
        await pass(3);
      }
      const [first, second, third, fourth] = ids as [string, string, string, string];
      const rank = async (sessionId: string, holders: readonly string[]): Promise<number> => {
        const result = await store.heartbeat({ sessionId, holders });
        return result.alive ? result.standbyRank : -1;
      };
      // Somebody has to be asked about: who waits for nobody may have rank 0.
      const nobody = [context.name('session')];
      equal(
        'the ranks of four',
        [await rank(first, nobody), await rank(second, nobody), await rank(third, nobody), await rank(fourth, nobody)],
        [0, 1, 2, 3],
      );
      equal('the rank of the last, waiting for the first', await rank(fourth, [first]), 2);
      await store.closeSession(second);
      equal('the rank of the last, one being closed', await rank(fourth, [first]), 1);
    },
  },
  {
    id: 'S1.11',
    title: 'members shows each live session with what was said at its opening, the oldest first',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const metadata = { host: 'büro-1', note: 'a "quoted" \\ value, 100 %', empty: '' };
      const first = await context.session(store!, { memberId: 'ada', metadata });
      await pass(3);
      const second = await context.session(other!, { memberId: 'bob' });
      const group = context.name('group');
      await store!.contend(first, [group, context.name('group')]);
      await context.grant(store!, first, group);
      await context.grant(store!, first, context.name('group'));
      const members = await other!.members();
      equal(
        'the members',
        members.map((member) => [member.sessionId, member.memberId]),
        [
          [first, 'ada'],
          [second, 'bob'],
        ],
      );
      equal(
        'the metadata',
        members.map((member) => member.metadata),
        [metadata, {}],
      );
      equal('the counts of the first: held, contended for', [members[0]!.leaseCount, members[0]!.contendCount], [2, 3]);
      equal('the counts of the second', [members[1]!.leaseCount, members[1]!.contendCount], [0, 0]);
    },
  },
  {
    id: 'S2.1',
    title: 'an expired session is refused, now and ever after',
    run: async (context) => {
      const store = await context.open();
      const sessionId = await context.expiredSession(store);
      for (let i = 0; i < 3; i += 1) {
        equal('the heartbeat of an expired session', await store.heartbeat({ sessionId, holders: [] }), { alive: false });
        equal('the members', await store.members(), []);
        await pass(5);
      }
    },
  },
  {
    id: 'S2.2',
    title: 'closed and unknown sessions are refused by every call that asks for a live one',
    run: async (context) => {
      const store = await context.open();
      const closed = await context.session(store);
      await store.closeSession(closed);
      const groupId = context.name('group');
      for (const sessionId of [closed, 'never-opened']) {
        equal('its heartbeat', await store.heartbeat({ sessionId, holders: [] }), { alive: false });
        equal('its claim', await context.claim(store, sessionId, groupId), { kind: 'refused', groupId, reason: 'session-dead' });
        equal('what it holds', await store.held(sessionId), { alive: false, grantCount: 0, leases: [] });
        equal('its release', await store.release(sessionId, [{ groupId, term: 1 }]), [{ groupId, term: 1, kind: 'not-held' }]);
        await store.contend(sessionId, [groupId]);
        await store.withdraw(sessionId, [groupId]);
      }
      equal('the group afterwards', await store.read([groupId]), [{ groupId, term: 0, holder: null, contenderCount: 0 }]);
    },
  },
  {
    id: 'S2.3',
    title: 'heartbeats around the expiry: after the first "no" there is no "yes"',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const sessionId = await context.session(store!, { ttlMs: 40 });
          let isDead = false;
          for (let i = 0; i < 12; i += 1) {
            await pass(25 + context.random() * 30);
            const answers = await Promise.all([store!, other!].map((client) => client.heartbeat({ sessionId, holders: [] })));
            if (isDead) equal('heartbeats after a refused one', answers, [{ alive: false }, { alive: false }]);
            if (answers.some((answer) => !answer.alive)) isDead = true;
          }
        }),
      );
    },
  },
  {
    id: 'S3.1',
    title: 'closeSession frees every group of the session at once, and can be repeated',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const sessionId = await context.session(store!);
      const rival = await context.session(other!);
      const groupIds = Array.from({ length: 600 }, () => context.name('group'));
      await store!.claim(sessionId, groupIds);
      await store!.closeSession(sessionId);
      await store!.closeSession(sessionId);
      await store!.closeSession('never-opened');
      const views = await other!.read(groupIds);
      equal(
        'groups that still have a holder',
        views.filter((view) => view.holder !== null),
        [],
      );
      const results = await other!.claim(rival, groupIds);
      equal(
        'claims by another that were not granted',
        results.filter((result) => result.kind !== 'granted'),
        [],
      );
      equal(
        'terms that are not the next',
        results.filter((result) => result.kind === 'granted' && result.term !== 2),
        [],
      );
      await store!.closeSession(sessionId);
      equal(
        'groups lost by a late repetition',
        (await other!.read(groupIds)).filter((view) => view.holder?.sessionId !== rival),
        [],
      );
    },
  },
  {
    id: 'S3.2',
    title: 'a claim that is under way while its session is closed leaves no group behind',
    run: async (context) => {
      const [store, closer, other] = await context.openMany(3);
      const rival = await context.session(other!);
      for (let round = 0; round < 20; round += 1) {
        const sessionId = await context.session(store!);
        const groupIds = Array.from({ length: 30 }, () => context.name('group'));
        const claims = groupIds.map((groupId) => store!.claim(sessionId, [groupId]));
        if (context.random() < 0.7) await pass(context.random() * 2);
        await closer!.closeSession(sessionId);
        // Some of the claims may still be waiting somewhere.
        const results = await other!.claim(rival, groupIds);
        equal(
          `groups of a closed session that another cannot claim (round ${round})`,
          results.filter((result) => result.kind !== 'granted'),
          [],
        );
        await Promise.all(claims);
        equal(
          `groups that a claim of a dead session took from a live one (round ${round})`,
          (await other!.read(groupIds)).filter((view) => view.holder?.sessionId !== rival),
          [],
        );
        equal('what the closed session holds', await store!.held(sessionId), { alive: false, grantCount: 0, leases: [] });
      }
    },
  },
  {
    id: 'S4.1',
    title: 'dead sessions are forgotten, with no effect on who is dead (S2) or on terms (L2)',
    skip: (target) =>
      target.sessionRetentionMs === undefined ? 'the target does not say when sessions are pruned (`sessionRetentionMs`)' : null,
    run: async (context) => {
      const store = await context.open();
      const groupId = context.name('group');
      const expired = await context.expiredSession(store, async (sessionId) => {
        await context.claim(store, sessionId, groupId);
      });
      const [before] = await store.read([groupId]);
      const closed = await context.session(store);
      await store.claim(closed, [groupId]);
      await store.closeSession(closed);
      // Pruning happens when a session is opened.
      for (let i = 0; i < 2; i += 1) {
        await pass(context.target.sessionRetentionMs! + 50);
        await context.session(store);
      }
      for (const sessionId of [expired, closed]) {
        equal('the heartbeat of a session that was pruned', await store.heartbeat({ sessionId, holders: [] }), { alive: false });
      }
      const heir = await context.session(store);
      equal('the term after pruning', await context.grant(store, heir, groupId), before!.term + 2);
    },
  },
  {
    id: 'S4.2',
    title: 'members shows nobody who is dead',
    run: async (context) => {
      const store = await context.open();
      await context.expiredSession(store);
      const closed = await context.session(store);
      await store.closeSession(closed);
      const live = await context.session(store);
      equal(
        'the members',
        (await store.members()).map((member) => member.sessionId),
        [live],
      );
    },
  },
  {
    id: 'S4.3',
    title: 'what a session may be is checked before the database is touched: TTL, names, metadata (F7, F12)',
    run: async (context) => {
      const store = await context.open();
      const session = { sessionId: 'ok', memberId: 'ok', ttlMs: 1_000 };
      const wrong = [
        ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 86_400_001].map((ttlMs) => ({ ...session, ttlMs })),
        { ...session, sessionId: '' },
        { ...session, memberId: 'x'.repeat(256) },
        { ...session, metadata: { key: 'x'.repeat(5_000) } },
      ];
      for (const input of wrong) {
        // The suite's own check agrees that it is wrong.
        const expected = await rejection(
          'assertNewSession',
          Promise.resolve().then(() => assertNewSession(input)),
        );
        const error = await rejection(`openSession of ${JSON.stringify(input).slice(0, 100)}`, store.openSession(input));
        equal('the code of the error', Reflect.get(error as object, 'code'), Reflect.get(expected as object, 'code'));
      }
      equal('the members afterwards', await store.members(), []);
    },
  },
  {
    id: 'S5.1',
    title: 'groups names each group that a live session holds or contends for, once, and no other',
    skip: (_target, { groups }) => (groups ? null : 'the store cannot be asked which groups there are (`capabilities.groups` is false)'),
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      equal('the groups of a new store', await other!.groups!(), []);
      const [held, both, awaited] = [context.name('held'), context.name('both'), context.name('awaited')];
      const [released, withdrawn, expired, closed] = [
        context.name('released'),
        context.name('withdrawn'),
        context.name('expired'),
        context.name('closed'),
      ];
      await context.expiredSession(store!, async (sessionId) => {
        await store!.contend(sessionId, [expired]);
        await context.grant(store!, sessionId, expired);
      });
      const leader = await context.session(store!);
      for (const groupId of [held, both, released]) await context.grant(store!, leader, groupId);
      const standby = await context.session(store!);
      await store!.contend(leader, [both]);
      await store!.contend(standby, [both, awaited, withdrawn]);
      await store!.withdraw(standby, [withdrawn]);
      await store!.release(leader, [{ groupId: released, term: 1 }]);
      const gone = await context.session(store!);
      await store!.contend(gone, [closed]);
      await context.grant(store!, gone, closed);
      await store!.closeSession(gone);
      equal('the groups', (await other!.groups!()).toSorted(), [held, both, awaited].toSorted());
    },
  },
];

async function memberOf(store: LeaseStore, sessionId: string): Promise<MemberView | undefined> {
  return (await store.members()).find((member) => member.sessionId === sessionId);
}
