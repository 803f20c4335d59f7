import { StoreError, type LeaseStore } from '@wb/core';
import { pass, settledWithin } from '../clock.js';
import { equal, holds, rejection } from '../conformance-failure.js';
import type { ConformanceCase } from '../conformance-case.js';

/** How soon a call must settle after it was aborted or its store was closed, in ms. */
const SETTLE_MS = 1_000;

/** T5 and E1: how calls end. */
export const callCases: readonly ConformanceCase[] = [
  {
    id: 'T5.1',
    title: 'a call whose signal has aborted before it is made rejects, and does nothing',
    run: async (context) => {
      const store = await context.open();
      const sessionId = await context.session(store);
      const signal = AbortSignal.abort();
      const groupId = context.name('group');
      for (const [method, call] of everyCall(store, sessionId, groupId, signal)) {
        const error = await rejection(`${method} with an aborted signal`, call());
        assertStoreError(method, error);
        equal(`the code of the error of ${method}`, Reflect.get(error as object, 'code'), 'STORE_TIMEOUT');
      }
      equal('what it holds', await store.held(sessionId), { alive: true, grantCount: 0, leases: [] });
    },
  },
  {
    id: 'T5.2',
    title: 'calls that are aborted at any moment settle at once, and the client works on: no connection is poisoned',
    run: async (context) => {
      const store = await context.open();
      const sessionId = await context.session(store);
      for (let round = 0; round < 30; round += 1) {
        const abort = new AbortController();
        const groupIds = Array.from({ length: 50 }, () => context.name('group'));
        const call = store.claim(sessionId, groupIds, { signal: abort.signal });
        if (round % 3 > 0) await pass(context.random() * 3);
        abort.abort();
        const outcome = await settledWithin(call, SETTLE_MS);
        holds('an aborted claim', outcome !== 'pending', `settled within ${SETTLE_MS} ms`, outcome);
        if (outcome === 'rejected') assertStoreError('claim', await rejection('the claim', call));
        // A poisoned connection would answer the next call with what the aborted one was waiting for.
        const probe = context.name('probe');
        equal('the answer of the next claim', await store.claim(sessionId, [probe]), [
          { kind: 'granted', groupId: probe, term: 1, fresh: true },
        ]);
        // Its outcome may be unknown; claiming again makes it known.
        const results = await store.claim(sessionId, groupIds);
        equal(
          'the groups of the next claim',
          results.map((result) => result.groupId),
          groupIds,
        );
        equal(
          'those not granted',
          results.filter((result) => result.kind !== 'granted' || result.term !== 1),
          [],
        );
        equal('the heartbeat after it', (await store.heartbeat({ sessionId, holders: [] })).alive, true);
      }
      const held = await store.held(sessionId);
      equal('grantCount against what is held', held.grantCount, held.leases.length);
    },
  },
  {
    id: 'T5.3',
    title: 'close settles what is under way, ends what comes later, can be repeated, and touches nothing of the other clients',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const sessionId = await context.session(store!);
      const groupId = context.name('group');
      await context.grant(store!, sessionId, groupId);
      const calls = Array.from({ length: 20 }, () => store!.heartbeat({ sessionId, holders: [] }));
      const settled = Promise.allSettled(calls);
      const closing = Promise.all([store!.close(), store!.close()]);
      holds('close()', (await settledWithin(closing, 5 * SETTLE_MS)) === 'resolved', 'resolved', 'not');
      holds('calls under way while closing', (await settledWithin(settled, SETTLE_MS)) === 'resolved', 'all settled', 'some pending');
      for (const result of await settled) if (result.status === 'rejected') assertStoreError('heartbeat', result.reason);
      for (const [method, call] of everyCall(store!, sessionId, groupId)) {
        const error = await rejection(`${method} of a closed store`, call());
        assertStoreError(method, error);
        equal(`the code of the error of ${method}`, Reflect.get(error as object, 'code'), 'STORE_CLOSED');
      }
      await store!.close();
      // The session was not closed: it is left to live or to expire.
      const [view] = await other!.read([groupId]);
      equal('the holder, as another client sees it', [view?.term, view?.holder?.sessionId], [1, sessionId]);
      equal('its heartbeat through another client', (await other!.heartbeat({ sessionId, holders: [] })).alive, true);
    },
  },
  {
    id: 'T5.4',
    title: 'many calls at once on one client are all answered, each with its own answer',
    run: async (context) => {
      const store = await context.open();
      const sessions = await Promise.all(Array.from({ length: 40 }, () => context.session(store)));
      const results = await Promise.all(sessions.map((sessionId) => store.claim(sessionId, [`${sessionId}-group`])));
      equal(
        'the groups of the answers',
        results.map(([result]) => result?.groupId),
        sessions.map((sessionId) => `${sessionId}-group`),
      );
      const held = await Promise.all(sessions.map((sessionId) => store.held(sessionId)));
      equal(
        'what each holds',
        held.map(({ leases }) => leases),
        sessions.map((sessionId) => [{ groupId: `${sessionId}-group`, term: 1 }]),
      );
    },
  },
  {
    id: 'E1.1',
    title: 'before migrate() a call either works or says STORE_NOT_MIGRATED, never "no"',
    run: async (context) => {
      const store = await context.open({ isMigrated: false });
      try {
        await store.openSession({ sessionId: 'early', memberId: 'early', ttlMs: 60_000 });
      } catch (error) {
        assertStoreError('openSession', error);
        equal('the code of the error', Reflect.get(error as object, 'code'), 'STORE_NOT_MIGRATED');
        for (const [method, call] of everyCall(store, 'early', 'group')) {
          if (method === 'migrate') continue;
          const fault = await rejection(`${method} before migrate()`, call());
          equal(`the code of the error of ${method}`, Reflect.get(fault as object, 'code'), 'STORE_NOT_MIGRATED');
        }
        await store.migrate();
        await store.openSession({ sessionId: 'early', memberId: 'early', ttlMs: 60_000 });
      }
      equal('the session', (await store.heartbeat({ sessionId: 'early', holders: [] })).alive, true);
    },
  },
  {
    id: 'E1.2',
    title: 'capabilities are frozen, complete, and the same on every client',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const { capabilities } = store!;
      equal('isFrozen', Object.isFrozen(capabilities), true);
      equal(
        'the types',
        [typeof capabilities.name, typeof capabilities.durable, typeof capabilities.crossProcess, typeof capabilities.watch],
        ['string', 'boolean', 'boolean', 'boolean'],
      );
      holds(
        'precisionMs',
        capabilities.precisionMs > 0 && capabilities.precisionMs <= 1_000,
        'above 0 and at most 1,000',
        capabilities.precisionMs,
      );
      equal('whether watch() is there', typeof store!.watch === 'function', capabilities.watch);
      equal("another client's", other!.capabilities, capabilities);
    },
  },
  {
    id: 'F20.1',
    title: 'migrate() is idempotent, and eight clients may run it at once on an empty database',
    run: async (context) => {
      const clients = await Promise.all(Array.from({ length: 8 }, () => context.open({ isMigrated: false })));
      await Promise.all(clients.map((client) => client.migrate()));
      const sessionId = await context.session(clients[0]!);
      await context.grant(clients[1]!, sessionId, 'group');
      await Promise.all(clients.map((client) => client.migrate()));
      equal('the holder after another round', (await clients[7]!.read(['group']))[0]?.holder?.sessionId, sessionId);
    },
  },
];

function assertStoreError(method: string, error: unknown): void {
  holds(`what ${method} rejects with`, error instanceof StoreError, 'a StoreError', error);
}

function everyCall(store: LeaseStore, sessionId: string, groupId: string, signal?: AbortSignal): [string, () => Promise<unknown>][] {
  const options = signal && { signal };
  return [
    ['migrate', () => store.migrate(options)],
    ['openSession', () => store.openSession({ sessionId: `${sessionId}-new`, memberId: 'm', ttlMs: 60_000 }, options)],
    ['heartbeat', () => store.heartbeat({ sessionId, holders: [] }, options)],
    ['contend', () => store.contend(sessionId, [groupId], options)],
    ['withdraw', () => store.withdraw(sessionId, [groupId], options)],
    ['claim', () => store.claim(sessionId, [groupId], options)],
    ['release', () => store.release(sessionId, [{ groupId, term: 1 }], options)],
    ['held', () => store.held(sessionId, options)],
    ['read', () => store.read([groupId], options)],
    ['members', () => store.members(options)],
    ['closeSession', () => store.closeSession(sessionId, options)],
  ];
}
