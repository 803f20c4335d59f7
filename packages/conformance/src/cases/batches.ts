import { equal, holds, rejection } from '../conformance-failure.js';
import { LONG_TTL_MS } from '../case-context.js';
import type { ConformanceCase } from '../conformance-case.js';

const MANY = 10_000;

/** The parts of L1 and L2 that only show with many groups, and with names that databases find hard (F7). */
export const batchCases: readonly ConformanceCase[] = [
  {
    id: 'L1.8',
    title: `${MANY} groups in one claim, one read, one takeover`,
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const groupIds = Array.from({ length: MANY }, (_, at) => `many-${at}`);
      const heir = await context.session(other!);
      const holder = await context.session(store!);
      const granted = await store!.claim(holder, groupIds);
      equal(
        'results that are not, in order, a first grant',
        granted.filter((result, at) => !(result.kind === 'granted' && result.groupId === groupIds[at] && result.term === 1)),
        [],
      );
      equal('results', granted.length, MANY);
      const refused = await other!.claim(heir, groupIds);
      equal(
        'refusals that are not, in order, for being held',
        refused.filter((result, at) => !(result.kind === 'refused' && result.reason === 'held' && result.groupId === groupIds[at])),
        [],
      );
      const views = await other!.read(groupIds);
      equal(
        'views that are not, in order, of the holder',
        views.filter((view, at) => !(view.holder?.sessionId === holder && view.groupId === groupIds[at])),
        [],
      );
      const held = await store!.held(holder);
      equal(
        'grantCount and leases',
        [held.grantCount, held.leases.length, new Set(held.leases.map((lease) => lease.groupId)).size],
        [MANY, MANY, MANY],
      );
      const half = held.leases.slice(0, MANY / 2);
      equal(
        'releases that are not done',
        (await store!.release(holder, half)).filter((result) => result.kind !== 'released'),
        [],
      );
      await store!.closeSession(holder);
      const taken = await other!.claim(heir, groupIds);
      equal(
        'takeovers that are not the next term',
        taken.filter((result) => !(result.kind === 'granted' && result.term === 2 && result.fresh)),
        [],
      );
    },
  },
  {
    id: 'L1.9',
    title: 'a batch answers in its order, group by group: held, own, free, repeated',
    run: async (context) => {
      const store = await context.open();
      const own = await context.session(store);
      const rival = await context.session(store);
      await store.claim(rival, ['b', 'd']);
      await store.claim(own, ['c']);
      const asked = ['e', 'b', 'a', 'c', 'd', 'a', 'f'];
      const results = await store.claim(own, asked);
      equal(
        'the groups of the answers',
        results.map((result) => result.groupId),
        asked,
      );
      equal(
        'the answers',
        results.map((result) => (result.kind === 'granted' ? [result.term, result.fresh] : result.reason)),
        [[1, true], 'held', [1, true], [1, false], 'held', [1, false], [1, true]],
      );
      const views = await store.read(['f', 'zzz', 'b', 'f']);
      equal(
        'the groups of a read',
        views.map((view) => [view.groupId, view.holder?.sessionId ?? null]),
        [
          ['f', own],
          ['zzz', null],
          ['b', rival],
          ['f', own],
        ],
      );
      const released = await store.release(own, [
        { groupId: 'f', term: 1 },
        { groupId: 'b', term: 1 },
        { groupId: 'a', term: 1 },
        { groupId: 'a', term: 2 },
      ]);
      equal(
        'the answers of a release',
        released.map((result) => [result.groupId, result.term, result.kind]),
        [
          ['f', 1, 'released'],
          ['b', 1, 'not-held'],
          ['a', 1, 'released'],
          ['a', 2, 'not-held'],
        ],
      );
    },
  },
  {
    id: 'L1.10',
    title: 'empty batches are answered with nothing',
    run: async (context) => {
      const store = await context.open();
      const sessionId = await context.session(store);
      equal('claim', await store.claim(sessionId, []), []);
      equal('release', await store.release(sessionId, []), []);
      equal('read', await store.read([]), []);
      await store.contend(sessionId, []);
      await store.withdraw(sessionId, []);
      equal('what it holds', await store.held(sessionId), { alive: true, grantCount: 0, leases: [] });
    },
  },
  {
    id: 'L1.11',
    title: 'names are told apart character by character: case, accents, blanks, forms, every plane (F7)',
    run: async (context) => {
      const store = await context.open();
      const sessionId = await context.session(store);
      const rival = await context.session(store);
      const names = [
        ...['a', 'A', 'á', 'a\u0301', 'ä', 'ae', 'æ', 'a ', ' a', 'a  ', 'ß', 'ss', 'SS', 'ı', 'i', 'I', 'İ', 'ﬁ', 'fi'],
        ...[
          "it's",
          '"quoted"',
          'back\\slash',
          '\\',
          '%',
          '_',
          '*',
          '?',
          '$1',
          ':name',
          '{}',
          "'; drop table session; --",
          '1',
          '01',
          '1.0',
          'null',
          'NULL',
          'true',
        ],
        ...[
          '🙂',
          '🙃',
          '\u{10000}',
          '\u{10fffd}',
          '\u{2f800}',
          '丽',
          'שלום',
          '\u200b',
          '\ufeff',
          '\ufffd',
          '\u00a0',
          '\u0085'.normalize('NFC'),
        ],
        'x'.repeat(255),
        `${'x'.repeat(254)}y`,
        '🙂'.repeat(255),
        '\u00e9'.repeat(255),
      ].filter((name) => name !== '\u0085');
      const results = await store.claim(sessionId, names);
      equal(
        'names whose first claim is no first grant',
        results.filter((result) => !(result.kind === 'granted' && result.term === 1 && result.fresh)),
        [],
      );
      equal(
        'names that came back changed',
        results.map((result) => result.groupId).filter((name, at) => name !== names[at]),
        [],
      );
      equal(
        'names that others find free',
        (await store.claim(rival, names)).filter((result) => result.kind === 'granted'),
        [],
      );
      const held = (await store.held(sessionId)).leases.map((lease) => lease.groupId);
      equal(
        'names that `held` does not list',
        names.filter((name) => !held.includes(name)),
        [],
      );
      equal(
        'releases that are not done',
        (
          await store.release(
            sessionId,
            names.map((groupId) => ({ groupId, term: 1 })),
          )
        ).filter((result) => result.kind !== 'released'),
        [],
      );
    },
  },
  {
    id: 'L1.12',
    title: 'members and sessions may have such names, too',
    run: async (context) => {
      const store = await context.open();
      const names = ["O'Brien", 'a', 'A', 'a ', 'á', '🙂'.repeat(255), "'; drop table lease; --", '\\'];
      for (const name of names) await store.openSession({ sessionId: name, memberId: name, ttlMs: LONG_TTL_MS });
      equal(
        'the members',
        new Set((await store.members()).map((member) => member.sessionId === member.memberId && member.sessionId)),
        new Set(names),
      );
      for (const sessionId of names)
        equal(`the heartbeat of ${JSON.stringify(sessionId)}`, (await store.heartbeat({ sessionId, holders: names })).alive, true);
      await store.closeSession('a');
      equal('those that were not closed', (await store.members()).length, names.length - 1);
    },
  },
  {
    id: 'L1.13',
    title: 'bad names are refused with the field, before anything is touched: empty, too long, control characters, NUL, half characters',
    run: async (context) => {
      const store = await context.open();
      const sessionId = await context.session(store);
      for (const bad of ['', 'x'.repeat(256), '🙂'.repeat(256), 'a\u0000b', 'a\nb', '\u007f', '\u0085', '\ud800', 'a\udfff']) {
        const calls: [string, () => Promise<unknown>][] = [
          ['claim', () => store.claim(sessionId, ['fine', bad])],
          ['read', () => store.read([bad])],
          ['release', () => store.release(sessionId, [{ groupId: bad, term: 1 }])],
          ['contend', () => store.contend(sessionId, [bad])],
          ['heartbeat', () => store.heartbeat({ sessionId: bad, holders: [] })],
          ['openSession', () => store.openSession({ sessionId: 'good', memberId: bad, ttlMs: 1_000 })],
        ];
        for (const [method, call] of calls) {
          const error = await rejection(`${method} with the name ${JSON.stringify(bad.slice(0, 20))}`, call());
          equal(`the code of the error of ${method}`, Reflect.get(error as object, 'code'), 'INVALID_NAME');
          holds(
            `the field of the error of ${method}`,
            typeof Reflect.get(error as object, 'field') === 'string',
            'a string',
            Reflect.get(error as object, 'field'),
          );
        }
      }
      equal('what was granted along with bad names', await store.held(sessionId), { alive: true, grantCount: 0, leases: [] });
    },
  },
];
