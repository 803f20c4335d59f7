import type { LeaseHint, LeaseStoreCapabilities } from '@wb/core';
import type { ConformanceTarget } from '../target.js';
import { pass, until } from '../clock.js';
import { equal, holds } from '../conformance-failure.js';
import type { ConformanceCase } from '../conformance-case.js';

/** How long a hint may take, in ms. */
const HINT_MS = 2_000;

function needsWatch(_target: ConformanceTarget, { watch }: LeaseStoreCapabilities): string | null {
  return watch ? null : 'the store pushes no hints (`capabilities.watch` is false)';
}

/** W1: hints, where the store can push. */
export const hintCases: readonly ConformanceCase[] = [
  {
    id: 'W1.1',
    title: 'a hint follows every grant, release and close of any client, and what it hints at can be seen then',
    skip: needsWatch,
    run: async (context) => {
      const [store, watcher] = await context.openMany(2);
      const groupId = context.name('group');
      // Whether the change could be seen by the time of each hint that can mean it.
      let look: (() => Promise<boolean>) | null = null;
      const looks: Promise<boolean>[] = [];
      const watch = await watcher!.watch!((hint: LeaseHint) => {
        if (look && (hint.groupIds === undefined || hint.groupIds.includes(groupId))) looks.push(look());
      });
      const holder = await context.session(store!);
      const follows = async (what: string, change: () => Promise<unknown>, isDone: () => Promise<boolean>): Promise<void> => {
        looks.length = 0;
        look = isDone;
        await change();
        const isHinted = await until(() => Promise.resolve(looks.length > 0 ? true : undefined), HINT_MS);
        equal(`a hint within ${HINT_MS} ms after a ${what}`, isHinted, true);
        const last = (await Promise.all(looks)).at(-1);
        equal(`whether the ${what} can be seen when its hint comes`, last, true);
        look = null;
      };
      const holderOf = async (): Promise<string | undefined> => (await watcher!.read([groupId]))[0]?.holder?.sessionId;
      await follows(
        'grant',
        () => store!.claim(holder, [groupId]),
        async () => (await holderOf()) === holder,
      );
      await follows(
        'release',
        () => store!.release(holder, [{ groupId, term: 1 }]),
        async () => (await holderOf()) === undefined,
      );
      await store!.claim(holder, [groupId]);
      await pass(20);
      await follows(
        'close',
        () => store!.closeSession(holder),
        async () => (await holderOf()) === undefined,
      );
      await watch[Symbol.asyncDispose]();
    },
  },
  {
    id: 'W1.2',
    title: 'no hint follows a heartbeat, and none comes after the watch was disposed of',
    skip: needsWatch,
    run: async (context) => {
      const [store, watcher] = await context.openMany(2);
      const sessionId = await context.session(store!);
      let count = 0;
      const watch = await watcher!.watch!(() => {
        count += 1;
      });
      await context.grant(store!, sessionId, context.name('group'));
      await until(() => Promise.resolve(count > 0 ? true : undefined), HINT_MS);
      await pass(50);
      const before = count;
      for (let i = 0; i < 20; i += 1) await store!.heartbeat({ sessionId, holders: [] });
      await pass(100);
      equal('hints during heartbeats', count - before, 0);
      await watch[Symbol.asyncDispose]();
      await context.grant(store!, sessionId, context.name('group'));
      await pass(100);
      equal('hints after the end of the watch', count - before, 0);
      holds('hints before', before > 0, 'at least one', before);
    },
  },
];
