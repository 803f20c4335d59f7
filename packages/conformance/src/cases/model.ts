import type { ClaimResult, LeaseStore, ReleaseResult } from '@wb/core';
import fc from 'fast-check';
import { LONG_TTL_MS } from '../case-context.js';
import { equal } from '../conformance-failure.js';
import type { ConformanceCase } from '../conformance-case.js';

/** What a store must be, in a few lines: sessions that never expire by themselves, and leases. */
class Model {
  readonly sessions = new Map<string, { isLive: boolean; grantCount: number; releaseCount: number }>();
  readonly leases = new Map<string, { term: number; holderId: string | null }>();

  isLive(sessionId: string): boolean {
    return this.sessions.get(sessionId)?.isLive === true;
  }

  claim(sessionId: string, groupId: string): unknown[] {
    if (!this.isLive(sessionId)) return [groupId, 'session-dead'];
    const lease = this.leases.get(groupId) ?? { term: 0, holderId: null };
    if (lease.holderId === sessionId) return [groupId, lease.term, false];
    if (lease.holderId !== null) return [groupId, 'held', lease.holderId, lease.term];
    lease.term += 1;
    lease.holderId = sessionId;
    this.leases.set(groupId, lease);
    this.sessions.get(sessionId)!.grantCount += 1;
    return [groupId, lease.term, true];
  }

  release(sessionId: string, groupId: string, term: number): unknown[] {
    const lease = this.leases.get(groupId);
    if (lease?.holderId !== sessionId || lease.term !== term) return [groupId, term, 'not-held'];
    lease.holderId = null;
    this.sessions.get(sessionId)!.releaseCount += 1;
    return [groupId, term, 'released'];
  }

  close(sessionId: string): void {
    const session = this.sessions.get(sessionId);
    if (session) session.isLive = false;
    for (const lease of this.leases.values()) if (lease.holderId === sessionId) lease.holderId = null;
  }

  held(sessionId: string): unknown {
    if (!this.isLive(sessionId)) return { alive: false, grantCount: 0, leases: [] };
    const leases = [...this.leases].filter(([, lease]) => lease.holderId === sessionId).map(([groupId, { term }]) => ({ groupId, term }));
    return { alive: true, grantCount: this.sessions.get(sessionId)!.grantCount, leases: byGroup(leases) };
  }

  read(groupId: string): unknown[] {
    const lease = this.leases.get(groupId);
    return [groupId, lease?.term ?? 0, lease?.holderId ?? null];
  }
}

/** The store under test, as the commands see it: some clients, and names of sessions that stand for the real ones of this run. */
interface System {
  readonly clients: readonly LeaseStore[];
  readonly prefix: string;
}

interface Command {
  readonly kind: 'open' | 'heartbeat' | 'close' | 'claim' | 'release' | 'held' | 'read';
  readonly client: number;
  readonly session: string;
  readonly groups: readonly string[];
  readonly term: number;
}

/** How long a counter-example is looked for and shrunk, in ms: well within the limit of a case. */
const SHRINK_LIMIT_MS = 30_000;

const commands = fc.record<Command>({
  kind: fc.constantFrom('open', 'open', 'heartbeat', 'close', 'claim', 'claim', 'claim', 'release', 'release', 'held', 'read'),
  client: fc.nat({ max: 2 }),
  session: fc.constantFrom('s1', 's2', 's3', 's4'),
  groups: fc.array(fc.constantFrom('g1', 'g2', 'g3', 'g4'), { maxLength: 4 }),
  term: fc.integer({ min: 1, max: 3 }),
});

/** Random calls, compared with a reference model; a counter-example is shrunk to the fewest calls that show it. */
export const modelCases: readonly ConformanceCase[] = [
  {
    id: 'T6.2',
    title: 'random calls from three clients answer as the reference model does',
    run: async (context) => {
      const clients = await context.openMany(3);
      let runCount = 0;
      const details = await fc.check(
        fc.asyncProperty(fc.array(commands, { maxLength: 60, size: 'max' }), async (sequence) => {
          runCount += 1;
          await play(sequence, { clients, prefix: `run${runCount}-` });
        }),
        { seed: context.seed, numRuns: 60, endOnFailure: false, interruptAfterTimeLimit: SHRINK_LIMIT_MS },
      );
      if (!details.failed) return;
      const [sequence] = details.counterexample ?? [[]];
      const lines = sequence.map(
        ({ kind, client, session, groups, term }) => `  client ${client}: ${kind} ${session} [${groups.join(' ')}] term ${term}`,
      );
      const cause = details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
      throw new Error(`the fewest calls that differ from the model:\n${lines.join('\n')}\n${cause}`, { cause: details.errorInstance });
    },
  },
];

async function play(sequence: readonly Command[], { clients, prefix }: System): Promise<void> {
  const model = new Model();
  for (const { kind, client: at, session, groups, term } of sequence) {
    const client = clients[at]!;
    const sessionId = prefix + session;
    const groupIds = groups.map((group) => prefix + group);
    switch (kind) {
      case 'open': {
        const error = await client.openSession({ sessionId, memberId: session, ttlMs: LONG_TTL_MS }).then(
          () => null,
          (fault: unknown) => Reflect.get(fault as object, 'code') as unknown,
        );
        // A dead session may have been pruned, on a machine that is slow enough: then it is as if it had never been.
        const isPruned = error === null && model.sessions.has(sessionId) && !model.isLive(sessionId);
        equal(`openSession ${session}`, error, model.sessions.has(sessionId) && !isPruned ? 'STORE_SESSION_EXISTS' : null);
        if (error === null) model.sessions.set(sessionId, { isLive: true, grantCount: 0, releaseCount: 0 });
        break;
      }
      case 'heartbeat': {
        const result = await client.heartbeat({ sessionId, holders: [sessionId] });
        const { grantCount, releaseCount } = model.sessions.get(sessionId) ?? {};
        const expected = model.isLive(sessionId) ? [true, grantCount, releaseCount] : [false];
        equal(`heartbeat ${session}`, result.alive ? [true, result.grantCount, result.holders[0]?.releaseCount] : [false], expected);
        break;
      }
      case 'close':
        await client.closeSession(sessionId);
        model.close(sessionId);
        break;
      case 'claim':
        equal(
          `claim ${session}`,
          (await client.claim(sessionId, groupIds)).map((result) => digest(result)),
          groupIds.map((groupId) => model.claim(sessionId, groupId)),
        );
        break;
      case 'release':
        equal(
          `release ${session}`,
          (
            await client.release(
              sessionId,
              groupIds.map((groupId) => ({ groupId, term })),
            )
          ).map((result: ReleaseResult) => [result.groupId, result.term, result.kind]),
          groupIds.map((groupId) => model.release(sessionId, groupId, term)),
        );
        break;
      case 'held': {
        const held = await client.held(sessionId);
        equal(`held ${session}`, { ...held, leases: byGroup([...held.leases]) }, model.held(sessionId));
        break;
      }
      case 'read':
        equal(
          'read',
          (await client.read(groupIds)).map((view) => [view.groupId, view.term, view.holder?.sessionId ?? null]),
          groupIds.map((groupId) => model.read(groupId)),
        );
    }
  }
}

function digest(result: ClaimResult): unknown[] {
  if (result.kind === 'granted') return [result.groupId, result.term, result.fresh];
  return result.reason === 'held' ? [result.groupId, 'held', result.holder.sessionId, result.holder.term] : [result.groupId, result.reason];
}

function byGroup<T extends { readonly groupId: string }>(leases: T[]): T[] {
  return leases.toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1));
}
