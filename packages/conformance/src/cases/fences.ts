import { FencedError, type FencedOptions, type FenceLease, type LeaseStore, type LeaseStoreCapabilities } from '@wb/core';
import type { CaseContext } from '../case-context.js';
import { nowMs, pass, settledWithin, until } from '../clock.js';
import type { ConformanceCase } from '../conformance-case.js';
import { equal, holds, rejection } from '../conformance-failure.js';
import type { ConformanceTarget } from '../target.js';

/** How often a fenced transaction meets a takeover. */
const MEETINGS = 30;

/** How long a hold may last that the case wants to see ended, in ms; and how long the store may take to end it: servers count in seconds. */
const SHORT_HOLD_MS = 250;
const END_MS = 5_000;
/** How long the end of an aborted transaction may take, in ms: nobody is asked. */
const ABORT_LIMIT_MS = 2_000;
/** A hold that no case waits for the end of, in ms. */
const LONG_HOLD_MS = 60_000;

/** How often each session's heart beats during a fenced transaction, and how long a heartbeat may take that waits for nothing, in ms: the rest is for a slow machine. */
const BEATS = 10;
const BEAT_LIMIT_MS = 1_000;

function needsFencing(target: ConformanceTarget, { fencing }: LeaseStoreCapabilities): string | null {
  if (!fencing) return 'the store has no fenced transactions (`capabilities.fencing` is false)';
  return target.notes === undefined ? 'the target does not say how its transactions are written in (`notes`)' : null;
}

/** One group, its holder, and the notes of the namespace. */
class FenceBench {
  readonly store: LeaseStore;
  readonly groupId: string;
  readonly lease: FenceLease;
  readonly #context: CaseContext;

  private constructor(context: CaseContext, store: LeaseStore, groupId: string, lease: FenceLease) {
    this.#context = context;
    this.store = store;
    this.groupId = groupId;
    this.lease = lease;
  }

  static async open(context: CaseContext): Promise<FenceBench> {
    const store = await context.open();
    await context.target.notes!.prepare(context.namespace);
    return await FenceBench.over(context, store);
  }

  /** Another group, over the same place. */
  static async over(context: CaseContext, store: LeaseStore): Promise<FenceBench> {
    const groupId = context.name('group');
    const sessionId = await context.session(store);
    const term = await context.grant(store, sessionId, groupId);
    return new FenceBench(context, store, groupId, { groupId, term, sessionId });
  }

  /** Leaves a note under the lease, `after` which more is done before the commit. */
  async leave(note: string, lease: FenceLease = this.lease, options?: FencedOptions, after?: () => Promise<unknown>): Promise<string> {
    return await this.store.fenced!(
      lease,
      async (transaction) => {
        await this.#context.target.notes!.write(transaction, this.#context.namespace, note);
        await after?.();
        return note;
      },
      options,
    );
  }

  async notes(): Promise<readonly string[]> {
    return [...(await this.#context.target.notes!.read(this.#context.namespace))].toSorted((a, b) => (a < b ? -1 : 1));
  }

  async refused(what: string, lease: FenceLease): Promise<void> {
    const error = await rejection(what, this.leave('refused', lease));
    holds(what, error instanceof FencedError && error.code === 'FENCED', 'a FencedError', error);
    equal(`the notes after ${what}`, (await this.notes()).includes('refused'), false);
  }
}

/** L6: fences, where the store has them. */
export const fenceCases: readonly ConformanceCase[] = [
  {
    id: 'L6.1',
    title: 'a fenced transaction commits while its lease stands, and resolves to what the work returned',
    skip: needsFencing,
    run: async (context) => {
      const bench = await FenceBench.open(context);
      equal('what it resolves to', await bench.leave('one'), 'one');
      equal('what it resolves to, again', await bench.leave('two'), 'two');
      equal('the notes', await bench.notes(), ['one', 'two']);
      const heartbeat = await bench.store.heartbeat({ sessionId: bench.lease.sessionId, holders: [] });
      equal('that the session lives', heartbeat.alive, true);
      equal('that the group is still held', (await bench.store.read([bench.groupId]))[0]?.holder?.sessionId, bench.lease.sessionId);
    },
  },
  {
    id: 'L6.2',
    title:
      'it is refused, and writes nothing, under every lease that does not stand: taken over, released, of another term, session or group',
    skip: needsFencing,
    run: async (context) => {
      const bench = await FenceBench.open(context);
      const { store, lease, groupId } = bench;
      const other = await context.session(store);
      await bench.refused('a term that was not granted yet', { ...lease, term: 2 });
      await bench.refused('another session in the same term', { ...lease, sessionId: other });
      await bench.refused('a session that never was', { ...lease, sessionId: context.name('nobody') });
      await bench.refused('a group that nobody ever held', { ...lease, groupId: context.name('group') });
      equal('what the lease itself comes to', await bench.leave('good'), 'good');
      await store.release(lease.sessionId, [{ groupId, term: 1 }]);
      await bench.refused('a released lease', lease);
      await context.grant(store, lease.sessionId, groupId);
      await bench.refused('the term before, of the same session', lease);
      equal('what the new term comes to', await bench.leave('better', { ...lease, term: 2 }), 'better');
      await store.closeSession(lease.sessionId);
      await context.grant(store, other, groupId);
      await bench.refused('a lease that was taken over', { ...lease, term: 2 });
      equal('the notes in the end', await bench.notes(), ['better', 'good']);
    },
  },
  {
    id: 'L6.3',
    title: `when a takeover comes in the middle, either the transaction commits before it, or not at all; ${MEETINGS} times (T8)`,
    skip: needsFencing,
    run: async (context) => {
      const bench = await FenceBench.open(context);
      const rival = await context.open({ isMigrated: false });
      for (let round = 1; round <= MEETINGS; round += 1) {
        const { lease, groupId } = await FenceBench.over(context, bench.store);
        const next = await context.session(rival);
        const note = `${groupId} old`;
        // What the successor sees in its own fenced transaction is all that the old term has done, for good.
        const takeOver = async (): Promise<boolean> => {
          await rival.closeSession(lease.sessionId);
          const term = await until(async () => {
            const result = await context.claim(rival, next, groupId);
            return result.kind === 'granted' ? result.term : undefined;
          }, END_MS);
          holds(`round ${round}: the takeover`, term !== null, `a grant within ${END_MS} ms`, 'refused');
          return await rival.fenced!({ groupId, term, sessionId: next }, async (transaction) => {
            await context.target.notes!.write(transaction, context.namespace, `${groupId} new`);
            return (await context.target.notes!.see(transaction, context.namespace)).includes(note);
          });
        };
        let takingOver: Promise<boolean> | null = null;
        // The takeover begins in the middle of the work, or of the commit, or after it.
        const [delayMs, pauseMs] = [context.random() * 10, context.random() * 10];
        const outcome = await bench
          .leave(note, lease, { maxHoldMs: 2_000 }, async () => {
            takingOver = pass(delayMs).then(takeOver);
            takingOver.catch(() => undefined);
            await pass(pauseMs);
          })
          .catch((error: unknown) => {
            holds(`round ${round}: the transaction`, error instanceof FencedError, 'a FencedError, if any', error);
            return null;
          });
        const wasSeen = await takingOver!;
        const isThere = (await bench.notes()).includes(note);
        equal(`round ${round}: whether the note is there, and whether the transaction said so`, isThere, outcome === note);
        equal(`round ${round}: whether the note is there, and whether the successor saw it`, isThere, wasSeen);
      }
    },
  },
  {
    id: 'L6.4',
    title: 'what the work throws rolls back, and is what the call rejects with',
    skip: needsFencing,
    run: async (context) => {
      const bench = await FenceBench.open(context);
      const thrown = new Error('the work failed');
      const error = await rejection(
        'a fenced transaction whose work throws',
        bench.leave('lost', bench.lease, undefined, () => Promise.reject(thrown)),
      );
      equal('what it rejects with', error, thrown);
      equal('the notes', await bench.notes(), []);
      equal('what the next one comes to', await bench.leave('kept'), 'kept');
    },
  },
  {
    id: 'L6.5',
    title: 'it lasts no longer than `maxHoldMs`, or until its signal aborts: then it is rolled back, and the group can be taken over',
    skip: needsFencing,
    run: async (context) => {
      const bench = await FenceBench.open(context);
      const stuck = (): Promise<never> => new Promise(() => undefined);
      const late = await rejection('work that never ends', bench.leave('late', bench.lease, { maxHoldMs: SHORT_HOLD_MS }, stuck));
      equal('the code of its end', Reflect.get(late as object, 'code'), 'STORE_TIMEOUT');
      const stop = new AbortController();
      const aborted = rejection(
        'work that is aborted',
        bench.leave('aborted', bench.lease, { signal: stop.signal, maxHoldMs: LONG_HOLD_MS }, () => {
          stop.abort();
          return stuck();
        }),
      );
      equal('whether the abort ends it, long before its time is up', await settledWithin(aborted, ABORT_LIMIT_MS), 'resolved');
      equal('the code of the aborted', Reflect.get((await aborted) as object, 'code'), 'STORE_TIMEOUT');
      const next = await context.session(bench.store);
      await bench.store.closeSession(bench.lease.sessionId);
      const term = await until(async () => {
        const result = await context.claim(bench.store, next, bench.groupId);
        return result.kind === 'granted' ? result.term : undefined;
      }, END_MS);
      equal('the term of the takeover', term, 2);
      equal('the notes', await bench.notes(), []);
    },
  },
  {
    id: 'L6.6',
    title:
      'a fenced transaction that lasts delays no heartbeat, no claim of another group and no second one of the same lease; where there is one writer, not beyond its own end',
    skip: needsFencing,
    run: async (context) => {
      const bench = await FenceBench.open(context);
      const other = await context.open({ isMigrated: false });
      const standby = await context.session(other);
      const free = context.name('group');
      const isOneWriter = context.target.notes!.isOneWriter ?? false;
      const durationsMs: number[] = [];
      const beat = async (store: LeaseStore, sessionId: string): Promise<void> => {
        for (let beats = 0; beats < BEATS; beats += 1) {
          const sentAtMs = nowMs();
          equal('that the session lives', (await store.heartbeat({ sessionId, holders: [] })).alive, true);
          durationsMs.push(nowMs() - sentAtMs);
        }
      };
      let others: Promise<unknown> = Promise.resolve();
      let claims: readonly string[] = [];
      const ended = await bench.leave('long', bench.lease, { maxHoldMs: 2 * BEAT_LIMIT_MS }, async () => {
        others = Promise.all([
          beat(bench.store, bench.lease.sessionId),
          beat(other, standby),
          other.claim(standby, [bench.groupId, free]).then((results) => {
            claims = results.map((result) => (result.kind === 'granted' ? 'granted' : result.reason));
          }),
          bench.leave('second'),
        ]);
        others.catch(() => undefined);
        // Everything else is to be done before this one ends.
        if (isOneWriter) await pass(100);
        else equal('what the others come to during the transaction', await settledWithin(others, BEAT_LIMIT_MS), 'resolved');
      });
      equal('what it resolves to', ended, 'long');
      await others;
      equal('the heartbeats', durationsMs.length, 2 * BEATS);
      const longestMs = Math.max(...durationsMs);
      holds('the longest heartbeat', longestMs < BEAT_LIMIT_MS, `less than ${BEAT_LIMIT_MS} ms`, longestMs);
      // Its holder lives, and is named; a store that locks the lease from the beginning on may say that it is locked.
      equal('the claims', claims, [claims[0] === 'busy' ? 'busy' : 'held', 'granted']);
      equal('the notes', await bench.notes(), ['long', 'second']);
    },
  },
  {
    id: 'L6.7',
    title: 'bad input is refused before the database is touched (F7)',
    skip: needsFencing,
    run: async (context) => {
      const bench = await FenceBench.open(context);
      const tries: readonly (readonly [string, FenceLease, FencedOptions | undefined, string, string])[] = [
        ['an empty group', { ...bench.lease, groupId: '' }, undefined, 'INVALID_NAME', 'lease.groupId'],
        ['a session of 256 characters', { ...bench.lease, sessionId: 'x'.repeat(256) }, undefined, 'INVALID_NAME', 'lease.sessionId'],
        ['term 0', { ...bench.lease, term: 0 }, undefined, 'INVALID_OPTION', 'lease.term'],
        ['half a term', { ...bench.lease, term: 1.5 }, undefined, 'INVALID_OPTION', 'lease.term'],
        ['no time at all', bench.lease, { maxHoldMs: 0 }, 'INVALID_OPTION', 'maxHoldMs'],
        ['more than an hour', bench.lease, { maxHoldMs: 3_600_001 }, 'INVALID_OPTION', 'maxHoldMs'],
      ];
      for (const [what, lease, options, code, field] of tries) {
        const error = (await rejection(what, bench.leave('bad', lease, options))) as object;
        equal(`the error for ${what}`, [Reflect.get(error, 'code'), Reflect.get(error, 'field')], [code, field]);
      }
      equal('the notes', await bench.notes(), []);
    },
  },
];
