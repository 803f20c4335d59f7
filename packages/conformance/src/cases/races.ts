import type { ClaimResult, LeaseStore } from '@wb/core';
import { nowMs, pass, wallMs } from '../clock.js';
import { equal, holds } from '../conformance-failure.js';
import { needsProcesses, type ConformanceCase } from '../conformance-case.js';
import type { CaseContext } from '../case-context.js';

const CLAIMANTS = 8;
const ROUNDS = 120;
/** How far ahead a barrier for several processes is set, in ms. */
const BARRIER_MS = 12;

/** L4, L5 and T6: what only clients that race can show. */
export const raceCases: readonly ConformanceCase[] = [
  {
    id: 'L4.1',
    title: `${CLAIMANTS} clients claim a group that was never held, all at once: one is granted, ${ROUNDS} times (F1, F2)`,
    run: async (context) => {
      const { clients, sessionIds } = await claimants(context);
      for (let round = 0; round < ROUNDS; round += 1) {
        const groupId = context.name('group');
        await pass(0);
        const results = await Promise.all(clients.map((client, at) => client.claim(sessionIds[at]!, [groupId])));
        assertOneWinner(results.flat(), sessionIds, 1, `round ${round}`);
      }
    },
  },
  {
    id: 'L4.2',
    title: `${CLAIMANTS} clients claim a released group, all at once: one is granted, ${ROUNDS} times`,
    run: async (context) => {
      const { clients, sessionIds } = await claimants(context);
      const groupId = context.name('group');
      for (let round = 0; round < ROUNDS; round += 1) {
        const results = await Promise.all(clients.map((client, at) => client.claim(sessionIds[at]!, [groupId])));
        const winner = assertOneWinner(results.flat(), sessionIds, round + 1, `round ${round}`);
        await clients[winner]!.release(sessionIds[winner]!, [{ groupId, term: round + 1 }]);
      }
    },
  },
  {
    id: 'L4.3',
    title: `${CLAIMANTS} clients claim the groups of an expired session from the instant of its expiry: each goes to one`,
    run: async (context) => {
      const { clients, sessionIds } = await claimants(context);
      const holder = await context.open();
      for (let round = 0; round < 6; round += 1) {
        const groupIds = Array.from({ length: 25 }, () => context.name('group'));
        const dying = await context.session(holder, { ttlMs: 80 });
        await holder.claim(dying, groupIds);
        const terms = new Map((await holder.read(groupIds)).map((view) => [view.groupId, view.term]));
        const granted = new Map<string, string[]>();
        await Promise.all(
          clients.map(async (client, at) => {
            for (let isOver = false; !isOver;) {
              const results = await client.claim(sessionIds[at]!, groupIds);
              for (const result of results) {
                if (result.kind !== 'granted' || !result.fresh) continue;
                granted.set(result.groupId, [...(granted.get(result.groupId) ?? []), sessionIds[at]!]);
                equal(`the term of ${result.groupId}`, result.term, terms.get(result.groupId)! + 1);
              }
              isOver = results.every(
                (result) => result.kind === 'granted' || (result.reason === 'held' && result.holder.sessionId !== dying),
              );
            }
          }),
        );
        for (const groupId of groupIds) equal(`how many were granted ${groupId} (round ${round})`, granted.get(groupId)?.length, 1);
      }
    },
  },
  {
    id: 'L4.4',
    title: 'processes claim a group at one instant, never held and then released: one is granted each time',
    skip: needsProcesses,
    run: async (context) => {
      const remotes = await context.openRemote(4);
      const sessionIds = await Promise.all(
        remotes.map(async (remote) => {
          const sessionId = context.name('session');
          await remote.call('openSession', [{ sessionId, memberId: 'remote', ttlMs: 600_000 }]);
          return sessionId;
        }),
      );
      const lasting = context.name('group');
      for (let round = 0; round < ROUNDS; round += 1) {
        const fresh = context.name('group');
        const startAtMs = wallMs() + BARRIER_MS;
        const results = await Promise.all(
          remotes.map((remote, at) => remote.call('claim', [sessionIds[at]!, [fresh, lasting]], startAtMs)),
        );
        assertOneWinner(
          results.map((result) => result[0]!),
          sessionIds,
          1,
          `round ${round}, never held`,
        );
        const winner = assertOneWinner(
          results.map((result) => result[1]!),
          sessionIds,
          round + 1,
          `round ${round}, released`,
        );
        await remotes[winner]!.call('release', [sessionIds[winner]!, [{ groupId: lasting, term: round + 1 }]]);
      }
    },
  },
  {
    id: 'L4.5',
    title: 'an unguarded counter that only leaders touch counts exactly',
    run: async (context) => {
      const { clients, sessionIds } = await claimants(context);
      const groupId = context.name('group');
      const counter = { value: 0, leaders: 0, lastTerm: 0 };
      const turns = 25;
      await Promise.all(
        clients.map(async (client, at) => {
          for (let done = 0; done < turns;) {
            const [result] = await client.claim(sessionIds[at]!, [groupId]);
            if (result?.kind !== 'granted') {
              await pass(context.random() * 2);
              continue;
            }
            counter.leaders += 1;
            equal('leaders at once', counter.leaders, 1);
            holds('the term of a new leader', result.term > counter.lastTerm, `above ${counter.lastTerm}`, result.term);
            counter.lastTerm = result.term;
            const read = counter.value;
            await pass(0);
            counter.value = read + 1;
            counter.leaders -= 1;
            done += 1;
            await client.release(sessionIds[at]!, [{ groupId, term: result.term }]);
          }
        }),
      );
      equal('the counter', counter.value, CLAIMANTS * turns);
      equal('the last term', counter.lastTerm, CLAIMANTS * turns);
    },
  },
  {
    id: 'L4.6',
    title: 'batches that overlap in different orders are claimed without a deadlock, each group once',
    run: async (context) => {
      const { clients, sessionIds } = await claimants(context);
      for (let round = 0; round < 10; round += 1) {
        const groupIds = Array.from({ length: 40 }, () => context.name('group'));
        const results = await Promise.all(clients.map((client, at) => client.claim(sessionIds[at]!, shuffled(groupIds, context))));
        const winners = results.flat().filter((result) => result.kind === 'granted');
        equal(`groups granted (round ${round})`, new Set(winners.map((result) => result.groupId)).size, groupIds.length);
        equal(`grants (round ${round})`, winners.length, groupIds.length);
      }
    },
  },
  {
    id: 'L5.1',
    title: 'a heartbeat races a takeover at the expiry: never are both told yes',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const rival = await context.session(other!);
      const ttlMs = 150;
      for (let round = 0; round < 6; round += 1) {
        await Promise.all(
          Array.from({ length: 12 }, async (_, lane) => {
            const holder = await context.session(store!, { ttlMs });
            const groupId = `${holder}-group`;
            const openedAtMs = nowMs();
            if ((await store!.claim(holder, [groupId]))[0]?.kind !== 'granted') return;
            await pass(Math.max(0, ttlMs - 6 + lane - (nowMs() - openedAtMs)));
            const sentAtMs = nowMs();
            let isAnswered = false;
            const answer = store!.heartbeat({ sessionId: holder, holders: [] }).finally(() => {
              isAnswered = true;
            });
            // If the case fails elsewhere first, nobody waits for it.
            answer.catch(() => undefined);
            // The rival tries for as long as the heartbeat is on its way: it may wait for a lock, or for its commit.
            let isGranted = false;
            while (!isAnswered && !isGranted) {
              const [claim] = await other!.claim(rival, [groupId]);
              isGranted = claim?.kind === 'granted';
              await pass(0);
            }
            const heartbeat = await answer;
            // Answers that took longer than the TTL prove nothing: the extended session may have ended again.
            if (nowMs() - sentAtMs >= ttlMs) return;
            holds('a heartbeat and a claim at the expiry', !(heartbeat.alive && isGranted), 'at most one of them told yes', 'both');
          }),
        );
      }
    },
  },
  {
    id: 'L5.2',
    title: 'once a heartbeat is acknowledged, no claim by others is granted before the expiry that it set',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const rival = await context.session(other!);
      const ttlMs = 400;
      await Promise.all(
        Array.from({ length: 10 }, async (_, lane) => {
          const holder = await context.session(store!, { ttlMs });
          const groupId = `${holder}-group`;
          await store!.claim(holder, [groupId]);
          for (let i = 0; i < 12; i += 1) {
            await pass(20 + lane * 5);
            const sentAtMs = nowMs();
            const { alive } = await store!.heartbeat({ sessionId: holder, holders: [] });
            if (!alive) return;
            const [claim] = await other!.claim(rival, [groupId]);
            if (nowMs() - sentAtMs < ttlMs) holds('the claim after an acknowledged heartbeat', claim?.kind === 'refused', 'refused', claim);
          }
        }),
      );
    },
  },
  {
    id: 'T6.1',
    title: 'random sessions claim, release, end and come back from several clients: one holder at a time, terms that only rise',
    run: async (context) => {
      const clients = await context.openMany(4);
      const groupIds = Array.from({ length: 5 }, () => context.name('group'));
      const grants: { groupId: string; term: number; sessionId: string }[] = [];
      await Promise.all(
        clients.map(async (client) => {
          let sessionId = await context.session(client, { ttlMs: 5_000 });
          const held = new Map<string, number>();
          for (let step = 0; step < 60; step += 1) {
            const groupId = groupIds[Math.floor(context.random() * groupIds.length)]!;
            const term = held.get(groupId);
            if (context.random() < 0.08) {
              await client.closeSession(sessionId);
              held.clear();
              sessionId = await context.session(client, { ttlMs: 5_000 });
            } else if (term === undefined) {
              const [result] = await client.claim(sessionId, [groupId]);
              if (result?.kind === 'granted') {
                held.set(groupId, result.term);
                grants.push({ groupId, term: result.term, sessionId });
              }
            } else {
              const [view] = await client.read([groupId]);
              equal(
                `the holder of ${groupId}, which was granted and not given up`,
                [view?.holder?.sessionId, view?.term],
                [sessionId, term],
              );
              held.delete(groupId);
              await client.release(sessionId, [{ groupId, term }]);
            }
          }
        }),
      );
      for (const groupId of groupIds) {
        const terms = grants
          .filter((grant) => grant.groupId === groupId)
          .map((grant) => grant.term)
          .toSorted((a, b) => a - b);
        equal(
          `the terms of ${groupId}`,
          terms,
          terms.map((_, at) => at + 1),
        );
      }
    },
  },
];

async function claimants(context: CaseContext): Promise<{ readonly clients: LeaseStore[]; readonly sessionIds: string[] }> {
  const clients = await context.openMany(CLAIMANTS);
  return { clients, sessionIds: await Promise.all(clients.map((client) => context.session(client))) };
}

/** The place of the one that was granted; fails unless there is exactly one, in that term, and the others were told of it. */
function assertOneWinner(results: readonly ClaimResult[], sessionIds: readonly string[], term: number, when: string): number {
  const winners = results.flatMap((result, at) => (result.kind === 'granted' ? [at] : []));
  equal(`granted at once, ${when}`, winners.length, 1);
  const winner = winners[0]!;
  const granted = results[winner]!;
  equal(`the term, ${when}`, granted.kind === 'granted' && granted.term, term);
  for (const result of results) {
    // A store may hold somebody back for a moment; nobody else is named as the holder.
    if (result.kind === 'refused' && result.reason === 'held')
      equal(`the holder in a refusal, ${when}`, result.holder.sessionId, sessionIds[winner]);
    else if (result.kind === 'refused') equal(`the reason of a refusal, ${when}`, result.reason, 'busy');
  }
  return winner;
}

function shuffled<T>(items: readonly T[], context: CaseContext): T[] {
  return items
    .map((item) => ({ item, order: context.random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
