import { nowMs } from '../clock.js';
import { aboveZero, equal, holds } from '../conformance-failure.js';
import type { ConformanceCase } from '../conformance-case.js';

/** L1–L3: leases carry leadership. */
export const leaseCases: readonly ConformanceCase[] = [
  {
    id: 'L1.1',
    title: 'a group that was never held is granted, and everyone sees it',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const sessionId = await context.session(store!, { memberId: 'ada', ttlMs: 5_000 });
      const groupId = context.name('group');
      equal('the group before', await other!.read([groupId]), [{ groupId, term: 0, holder: null, contenderCount: 0 }]);
      equal('the claim', await context.claim(store!, sessionId, groupId), { kind: 'granted', groupId, term: 1, fresh: true });
      const [view] = await other!.read([groupId]);
      equal(
        'term, holder, member and contenders',
        [view?.term, view?.holder?.sessionId, view?.holder?.memberId, view?.contenderCount],
        [1, sessionId, 'ada', 1],
      );
      equal("the holder's term", view?.holder?.term, 1);
      aboveZero("the holder's remainingMs", view!.holder!.remainingMs, 5_000);
      equal('what the session holds', await store!.held(sessionId), { alive: true, grantCount: 1, leases: [{ groupId, term: 1 }] });
    },
  },
  {
    id: 'L1.2',
    title: 'a held group is refused, with its holder',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const holder = await context.session(store!, { memberId: 'ada', ttlMs: 5_000 });
      const rival = await context.session(other!, { memberId: 'bob' });
      const groupId = context.name('group');
      await context.grant(store!, holder, groupId);
      const result = await context.claim(other!, rival, groupId);
      holds('the claim of a held group', result.kind === 'refused' && result.reason === 'held', 'refused as held', result);
      equal('its holder', [result.holder.sessionId, result.holder.memberId, result.holder.term], [holder, 'ada', 1]);
      aboveZero("the holder's remainingMs", result.holder.remainingMs, 5_000);
      equal('the holder afterwards', (await store!.read([groupId]))[0]?.holder?.sessionId, holder);
    },
  },
  {
    id: 'L1.3',
    title: 'a released group is free, also for the one who released it',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const first = await context.session(store!);
      const second = await context.session(other!);
      const groupId = context.name('group');
      equal('the release', await store!.release(first, [{ groupId, term: await context.grant(store!, first, groupId) }]), [
        { groupId, term: 1, kind: 'released' },
      ]);
      equal('the group then', await other!.read([groupId]), [{ groupId, term: 1, holder: null, contenderCount: 0 }]);
      equal('what the session holds', (await store!.held(first)).leases, []);
      equal('the term of the next', await context.grant(other!, second, groupId), 2);
      await other!.release(second, [{ groupId, term: 2 }]);
      equal('the term of the one after', await context.grant(store!, first, groupId), 3);
    },
  },
  {
    id: 'L1.4',
    title: "an expired holder's group is free from then on, and not before",
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const rival = await context.session(other!);
      for (let round = 0; round < 8; round += 1) {
        const holder = await context.session(store!, { ttlMs: 60 });
        const groupId = context.name('group');
        if ((await context.claim(store!, holder, groupId)).kind !== 'granted') continue;
        for (const endMs = nowMs() + 3_000; ;) {
          holds('a group whose holder sends no heartbeat', nowMs() < endMs, 'free after its TTL of 60 ms', 'held 3,000 ms later');
          const heartbeat = await other!.heartbeat({ sessionId: rival, holders: [holder] });
          const [view] = await other!.read([groupId]);
          const result = await context.claim(other!, rival, groupId);
          if (view?.holder) aboveZero('remainingMs of a holder that is shown', view.holder.remainingMs, 60);
          if (result.kind === 'granted') {
            equal('the term of the takeover', result.term, 2);
            break;
          }
          holds('the claim of a held group', result.reason === 'held', 'refused as held', result);
          aboveZero("the holder's remainingMs in the refusal", result.holder.remainingMs, 60);
          // What was seen dead stays dead: first the heartbeat looked, then the read, then the claim.
          holds('a holder that a heartbeat had shown dead', heartbeat.alive && heartbeat.holders[0]!.remainingMs > 0, 'free', result);
          holds('a holder that a read had shown gone', view?.holder !== null, 'free', result);
        }
        equal("the expired holder's release", await store!.release(holder, [{ groupId, term: 1 }]), [
          { groupId, term: 1, kind: 'not-held' },
        ]);
        equal('the holder afterwards', (await store!.read([groupId]))[0]?.holder?.sessionId, rival);
      }
    },
  },
  {
    id: 'L1.5',
    title: 'a dead session is granted nothing, not even what it held',
    run: async (context) => {
      const store = await context.open();
      const [own, free] = [context.name('group'), context.name('group')];
      const sessionId = await context.expiredSession(store, async (id) => {
        await context.claim(store, id, own);
      });
      const [before] = await store.read([own]);
      equal('its claims', await store.claim(sessionId, [own, free]), [
        { kind: 'refused', groupId: own, reason: 'session-dead' },
        { kind: 'refused', groupId: free, reason: 'session-dead' },
      ]);
      equal(
        'the groups afterwards: term and holder',
        (await store.read([own, free])).map(({ term, holder }) => [term, holder]),
        [
          [before!.term, null],
          [0, null],
        ],
      );
    },
  },
  {
    id: 'L2.1',
    title: 'every change of holder raises the term by exactly one, however it came about',
    run: async (context) => {
      const store = await context.open();
      const groupId = context.name('group');
      let expected = 0;
      for (let round = 0; round < 12; round += 1) {
        const end = ['release', 'close', 'expire'][Math.floor(context.random() * 3)]!;
        if (end === 'expire') {
          let term: number | null = null;
          await context.expiredSession(store, async (sessionId) => {
            const result = await context.claim(store, sessionId, groupId);
            if (result.kind !== 'granted') return;
            expected += 1;
            term = result.term;
            equal(`the term after ${expected - 1} (expire)`, term, expected);
          });
          continue;
        }
        const sessionId = await context.session(store);
        expected += 1;
        equal(`the term after ${expected - 1} (${end})`, await context.grant(store, sessionId, groupId), expected);
        // Neither of these is a change of holder.
        await context.claim(store, sessionId, groupId);
        await store.heartbeat({ sessionId, holders: [] });
        await context.claim(store, await context.session(store), groupId);
        if (end === 'release') await store.release(sessionId, [{ groupId, term: expected }]);
        else await store.closeSession(sessionId);
        equal('the term of a free group', (await store.read([groupId]))[0]?.term, expected);
      }
    },
  },
  {
    id: 'L2.2',
    title: 'terms go on after every client was closed and opened again',
    skip: (_target, { durable }) => (durable ? null : 'the store keeps nothing without its clients (`capabilities.durable` is false)'),
    run: async (context) => {
      const groupId = context.name('group');
      for (let term = 1; term <= 4; term += 1) {
        const store = await context.open({ isMigrated: term === 1 });
        const sessionId = await context.session(store);
        equal('the term', await context.grant(store, sessionId, groupId), term);
        if (term % 2 === 0) await store.closeSession(sessionId);
        else await store.release(sessionId, [{ groupId, term }]);
        await store.close();
      }
    },
  },
  {
    id: 'L3.1',
    title: 'a claim by the holder is granted again in the same term, and is no fresh grant: a lost reply heals',
    run: async (context) => {
      const [store, again] = await context.openMany(2);
      const sessionId = await context.session(store!);
      const groupId = context.name('group');
      // The answer of the first is thrown away.
      await store!.claim(sessionId, [groupId]);
      for (const client of [store!, again!, store!]) {
        equal('the claim of what is held', await context.claim(client, sessionId, groupId), {
          kind: 'granted',
          groupId,
          term: 1,
          fresh: false,
        });
      }
      equal('what the session holds', await store!.held(sessionId), { alive: true, grantCount: 1, leases: [{ groupId, term: 1 }] });
    },
  },
  {
    id: 'L3.2',
    title: 'claims do not stack: one release frees, whatever was claimed',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const sessionId = await context.session(store!);
      const rival = await context.session(other!);
      const groupId = context.name('group');
      for (let i = 0; i < 5; i += 1) await store!.claim(sessionId, [groupId, groupId]);
      await store!.release(sessionId, [{ groupId, term: 1 }]);
      equal('the term of the next', await context.grant(other!, rival, groupId), 2);
    },
  },
  {
    id: 'L3.3',
    title: 'a release needs the exact group, session and term',
    run: async (context) => {
      const store = await context.open();
      const holder = await context.session(store);
      const rival = await context.session(store);
      const [group, other] = [context.name('group'), context.name('group')];
      await store.claim(holder, [group]);
      await store.release(holder, [{ groupId: group, term: 1 }]);
      await store.claim(holder, [group, other]);
      const wrong: [string, string, number][] = [
        [rival, group, 2],
        [holder, group, 1],
        [holder, group, 3],
        ['never-opened', group, 2],
        [holder, other, 2],
      ];
      for (const [sessionId, groupId, term] of wrong) {
        equal(`the release of ${groupId} in term ${term} by ${sessionId}`, await store.release(sessionId, [{ groupId, term }]), [
          { groupId, term, kind: 'not-held' },
        ]);
      }
      equal('what the holder holds', (await store.held(holder)).leases, [
        { groupId: group, term: 2 },
        { groupId: other, term: 1 },
      ]);
    },
  },
  {
    id: 'L3.4',
    title: 'a late or repeated release frees nothing that came after it',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const first = await context.session(store!);
      const second = await context.session(other!);
      const groupId = context.name('group');
      await context.grant(store!, first, groupId);
      const release = { groupId, term: 1 };
      equal('the release, twice in one batch', await store!.release(first, [release, release]), [
        { ...release, kind: 'released' },
        { ...release, kind: 'not-held' },
      ]);
      equal('the repeated release', await store!.release(first, [release]), [{ ...release, kind: 'not-held' }]);
      await context.grant(store!, first, groupId);
      equal('the late release, the same session leading again', await store!.release(first, [release]), [{ ...release, kind: 'not-held' }]);
      equal('the holder', (await store!.read([groupId]))[0]?.holder?.sessionId, first);
      await store!.release(first, [{ groupId, term: 2 }]);
      await context.grant(other!, second, groupId);
      equal('the late release, another leading', await store!.release(first, [{ groupId, term: 2 }]), [
        { groupId, term: 2, kind: 'not-held' },
      ]);
      equal('the holder', (await store!.read([groupId]))[0]?.holder?.sessionId, second);
    },
  },
  {
    id: 'L3.5',
    title: 'a deposed holder can neither renew, claim nor release, and what it does changes nothing (F3)',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const heir = await context.session(other!);
      const groupId = context.name('group');
      const deposed = await context.expiredSession(store!, async (sessionId) => {
        await context.claim(store!, sessionId, groupId);
      });
      const term = await context.grant(other!, heir, groupId);
      equal('its heartbeat', await store!.heartbeat({ sessionId: deposed, holders: [heir] }), { alive: false });
      equal('its claim', await context.claim(store!, deposed, groupId), { kind: 'refused', groupId, reason: 'session-dead' });
      equal('its release', await store!.release(deposed, [{ groupId, term: term - 1 }]), [{ groupId, term: term - 1, kind: 'not-held' }]);
      await store!.closeSession(deposed);
      const [view] = await store!.read([groupId]);
      equal('the group afterwards', [view?.term, view?.holder?.sessionId], [term, heir]);
      // As a new incarnation it is a candidate like any other.
      await other!.release(heir, [{ groupId, term }]);
      equal('the term of its next leadership', await context.grant(store!, await context.session(store!), groupId), term + 1);
    },
  },
  {
    id: 'L1.6',
    title: 'contenders are counted while they live and contend, the holder included',
    run: async (context) => {
      const store = await context.open();
      const [a, b, c] = [await context.session(store), await context.session(store), await context.session(store)];
      const groupId = context.name('group');
      const count = async (): Promise<number | undefined> => (await store.read([groupId]))[0]?.contenderCount;
      for (const sessionId of [a, b, c]) {
        await store.contend(sessionId, [groupId]);
        await store.contend(sessionId, [groupId, groupId]);
      }
      equal('contenders', await count(), 3);
      await context.grant(store, a, groupId);
      equal('contenders, one of them leading', await count(), 3);
      await store.withdraw(b, [groupId]);
      await store.withdraw(b, [groupId]);
      equal('contenders after one has withdrawn', await count(), 2);
      await store.closeSession(c);
      equal('contenders after one was closed', await count(), 1);
      await store.withdraw(a, [groupId]);
      equal('the holder contends, whether it has said so or not', await count(), 1);
    },
  },
  {
    id: 'L1.7',
    title: 'two namespaces of one database know nothing of each other',
    run: async (context) => {
      const store = await context.open();
      const elsewhere = await context.open({ namespace: `${context.namespace}_2` });
      const sessionId = await context.session(store);
      const groupId = context.name('group');
      await context.grant(store, sessionId, groupId);
      equal('the members elsewhere', await elsewhere.members(), []);
      equal('the session elsewhere', await elsewhere.heartbeat({ sessionId, holders: [] }), { alive: false });
      const same = await context.session(elsewhere, { sessionId });
      equal('the term elsewhere', await context.grant(elsewhere, same, groupId), 1);
      await elsewhere.closeSession(same);
      const [view] = await store.read([groupId]);
      equal('the group here', [view?.term, view?.holder?.sessionId], [1, sessionId]);
      equal('the members here', (await store.members()).length, 1);
    },
  },
];
