import type { GroupStep } from '../src/group-machine.js';
import type {
  ClaimResult,
  HeartbeatRequest,
  HeartbeatResult,
  LeaseKey,
  LeaseStore,
  NewSession,
  ReleaseResult,
} from '../src/lease-store.js';
import type { Machines } from '../src/machines.js';
import type { StoreInstant } from '../src/memory/index.js';
import type { Scheduler, VirtualClock } from '../src/testing/index.js';
import { AuditedDatabase } from './audit.js';
import type { Plant } from './world.js';

/** A fault that the simulation must find, or the checks are worth nothing. */
export interface PlantedFault extends Plant {
  readonly title: string;
  /** The rules that it breaks: a violation of another one does not count as caught. */
  readonly rules: readonly string[];
  /** Where to begin to look, for one that few worlds show: not far before a seed that does. Default: 1. */
  readonly fromSeed?: number;
}

/** Every planted fault: in the machines, in the client's handling of answers, and in the store. */
export const plantedFaults: readonly PlantedFault[] = [
  // ——— the session ———
  {
    title: 'trust counted from the reply instead of from the sending',
    rules: ['T2'],
    machines: (real) => ({
      ...real,
      session: (state, event, now, timings) =>
        real.session(
          state,
          event.kind === 'heartbeat-acknowledged' || event.kind === 'opened' ? { ...event, sentAt: now } : event,
          now,
          timings,
        ),
    }),
  },
  {
    title: 'trust without the safety margin, on clocks that run at different rates',
    rules: ['T2'],
    machines: (real) => ({
      ...real,
      session: (state, event, now, timings) => real.session(state, event, now, { ...timings, safetyMarginMs: 0 }),
    }),
  },
  {
    title: 'a flag instead of the clock: held while the session is live',
    rules: ['T2'],
    machines: (real) => ({ ...real, remainingTrustMs: () => Number.MAX_VALUE }),
  },
  {
    title: 'only the monotonic clock is watched, and the machine sleeps',
    rules: ['T2'],
    machines: (real) => ({
      ...real,
      session: (state, event, now, timings) => real.session(state, event, { ...now, wallMs: Number.NEGATIVE_INFINITY }, timings),
      remainingTrustMs: (deadline, now) => real.remainingTrustMs(deadline, { ...now, wallMs: Number.NEGATIVE_INFINITY }),
    }),
  },
  {
    title: 'a heartbeat of unknown outcome is taken as a "no"',
    rules: ['T5'],
    machines: (real) => ({
      ...real,
      session: (state, event, now, timings) =>
        real.session(state, event.kind === 'heartbeat-failed' ? { kind: 'refused', sessionId: event.sessionId } : event, now, timings),
    }),
  },
  {
    title: 'heartbeats stop for good after the first fault',
    rules: ['T9', 'F14'],
    machines: (real) => ({
      ...real,
      session: (state, event, now, timings) =>
        event.kind === 'heartbeat-failed' || (state.kind === 'lost' && event.kind === 'tick')
          ? { state: state.kind === 'lost' ? { ...state, rejoinAtMs: Number.POSITIVE_INFINITY } : state, effects: [] }
          : real.session(state, event, now, timings),
    }),
  },
  // ——— the group ———
  {
    title: 'the work is not told when trust is lost',
    rules: ['T4'],
    machines: changeGroup((step) => ({
      ...step,
      effects: step.effects.filter((effect) => effect.kind !== 'abort-work' || effect.reason !== 'lost-trust'),
    })),
  },
  {
    title: 'a resigned lease is released before the work has settled',
    rules: ['T7'],
    machines: changeGroup((step) => {
      const { state } = step;
      if (state.kind !== 'yielding' || state.reason !== 'resigned' || state.phase !== 'settling') return step;
      return {
        state: { ...state, phase: 'releasing', overrunAtMs: null },
        effects: [...step.effects, { kind: 'release', lease: state.lease }],
      };
    }),
  },
  {
    title: 'a deposed leader never contends again (F3)',
    rules: ['T9', 'F14'],
    machines: changeGroup((step, before) =>
      before === 'yielding' && step.state.kind === 'standby' && step.state.reason === 'lost-trust'
        ? { state: { ...step.state, notBeforeMs: Number.POSITIVE_INFINITY }, effects: [] }
        : step,
    ),
  },
  {
    title: 'the lease is kept when the work ends (F4)',
    rules: ['T9', 'F14'],
    machines: (real) => ({
      ...real,
      group: (state, event, nowMs, policy) =>
        state.kind === 'leading' && event.kind === 'work-settled' ? { state, effects: [] } : real.group(state, event, nowMs, policy),
    }),
  },
  {
    title: 'hung work goes unnoticed (F4)',
    rules: ['F4'],
    machines: (real) => ({
      ...real,
      group: (state, event, nowMs, policy) => real.group(state, event, nowMs, { ...policy, watchdogMs: null }),
      groupDeadlineMs: (state, policy) => real.groupDeadlineMs(state, { ...policy, watchdogMs: null }),
    }),
  },
  // ——— what the client makes of answers (the traps of docs/protocol.md) ———
  { title: 'late release: one of unknown outcome is taken as done', rules: ['T2', 'T7'], client: takeReleaseAsDone },
  { title: 'late claim: the count of grants is not compared', rules: ['T9', 'F14'], client: (store) => countGrants(store, 'told') },
  {
    title: "late claim: the store's count is adopted with the answer to another claim",
    rules: ['T9', 'F14'],
    // One world in two thousand.
    fromSeed: 7_300,
    client: (store) => countGrants(store, 'adopted'),
  },
  { title: 'late close: a session is closed while its work goes on', rules: ['T7'], client: closeEarly },
  {
    title: 'a released group is not noticed',
    rules: ['T9', 'F14'],
    client: (store) => ({
      ...store,
      heartbeat: async (request, call) => {
        const result = await store.heartbeat(request, call);
        return result.alive ? { ...result, holders: result.holders.map((holder) => ({ ...holder, releaseCount: 0 })) } : result;
      },
      claim: async (sessionId, groupIds, call) =>
        (await store.claim(sessionId, groupIds, call)).map((result) =>
          result.kind === 'refused' && result.reason === 'held' ? { ...result, holder: { ...result.holder, releaseCount: 0 } } : result,
        ),
    }),
  },
  // ——— the store ———
  {
    title: 'an expired session is revived by a heartbeat',
    rules: ['S2'],
    database: (audit, retentionMs) => new Reviving(audit, retentionMs),
  },
  {
    title: 'late open: a session id may be opened again',
    rules: ['S2'],
    database: (audit, retentionMs) => new Reopening(audit, retentionMs),
  },
  {
    title: 'a claim is granted to a dead session',
    rules: ['L1'],
    database: (audit, retentionMs) => new GrantingToTheDead(audit, retentionMs),
  },
  {
    title: 'close against claim: a claim that comes after its session was closed is granted',
    rules: ['L1'],
    database: (audit, retentionMs) => new GrantingToTheClosed(audit, retentionMs),
  },
  { title: 'a claim reads, then writes (F1)', rules: ['T6'], server: readThenWrite },
  { title: 'the term is not raised', rules: ['L2'], database: (audit, retentionMs) => new TermKeeping(audit, retentionMs) },
  { title: 'the term starts again after pruning', rules: ['L2'], database: (audit, retentionMs) => new TermForgetting(audit, retentionMs) },
  {
    title: 'a release matches the group alone',
    rules: ['L3'],
    database: (audit, retentionMs) => new ReleasingAnything(audit, retentionMs),
  },
  { title: 'the fence is always open', rules: ['T8'], database: (audit, retentionMs) => new Fenceless(audit, retentionMs) },
];

function changeGroup(change: (step: GroupStep, before: string) => GroupStep): (real: Machines) => Machines {
  return (real) => ({ ...real, group: (state, event, nowMs, policy) => change(real.group(state, event, nowMs, policy), state.kind) });
}

/** Gives up on a release sooner than the real deadline, whose end nothing can pretend away, and says that it worked. */
function takeReleaseAsDone(store: LeaseStore, clock: VirtualClock): LeaseStore {
  return {
    ...store,
    release: (sessionId, leases, call) =>
      new Promise((resolve, reject) => {
        clock.schedule(20, () => resolve(leases.map((lease): ReleaseResult => ({ ...lease, kind: 'released' }))));
        store.release(sessionId, leases, call).then(resolve, reject);
      }),
  };
}

function countGrants(store: LeaseStore, how: 'told' | 'adopted'): LeaseStore {
  // What the coordinator counts itself, and what it would have to add for the store's number.
  const told = new Map<string, number>();
  const offset = new Map<string, number>();
  return {
    ...store,
    claim: async (sessionId, groupIds, call) => {
      const results = await store.claim(sessionId, groupIds, call);
      const fresh = results.filter((result) => result.kind === 'granted' && result.fresh).length;
      told.set(sessionId, (told.get(sessionId) ?? 0) + fresh);
      const held = await store.held(sessionId, call).catch(() => null);
      if (how === 'adopted' && held?.alive === true) offset.set(sessionId, held.grantCount - told.get(sessionId)!);
      return results;
    },
    heartbeat: async (request, call) => {
      const result = await store.heartbeat(request, call);
      if (!result.alive) return result;
      const toldCount = told.get(request.sessionId) ?? 0;
      return { ...result, grantCount: how === 'told' ? toldCount : result.grantCount - (offset.get(request.sessionId) ?? 0) };
    },
  };
}

/** The heartbeat must be the last thing to stop; here the session is closed with the first release. */
function closeEarly(store: LeaseStore): LeaseStore {
  return {
    ...store,
    release: async (sessionId, leases, call) => {
      const results = await store.release(sessionId, leases, call);
      await store.closeSession(sessionId, call);
      return results;
    },
  };
}

class Reviving extends AuditedDatabase {
  override heartbeat(request: HeartbeatRequest, nowMs: StoreInstant): HeartbeatResult {
    const session = this.sessions.get(request.sessionId);
    if (session && !session.isClosed && session.expiresAt <= nowMs) session.expiresAt = (nowMs + session.ttlMs) as StoreInstant;
    return super.heartbeat(request, nowMs);
  }
}

class Reopening extends AuditedDatabase {
  override openSession(session: NewSession, nowMs: StoreInstant): void {
    this.sessions.delete(session.sessionId);
    super.openSession(session, nowMs);
  }
}

class GrantingToTheDead extends AuditedDatabase {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const session = this.sessions.get(sessionId);
    if (!session || session.isClosed || nowMs < session.expiresAt) return super.claim(sessionId, groupIds, nowMs);
    const { expiresAt } = session;
    session.expiresAt = (nowMs + 1) as StoreInstant;
    const results = super.claim(sessionId, groupIds, nowMs);
    session.expiresAt = expiresAt;
    return results;
  }
}

class GrantingToTheClosed extends AuditedDatabase {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const session = this.sessions.get(sessionId);
    if (!session?.isClosed) return super.claim(sessionId, groupIds, nowMs);
    session.isClosed = false;
    const results = super.claim(sessionId, groupIds, nowMs);
    session.isClosed = true;
    return results;
  }
}

class TermKeeping extends AuditedDatabase {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    for (const groupId of groupIds) {
      const lease = this.leases.get(groupId);
      if (lease && lease.term > 0 && lease.holderId === null) lease.term -= 1;
    }
    return super.claim(sessionId, groupIds, nowMs);
  }
}

class TermForgetting extends AuditedDatabase {
  override prune(nowMs: StoreInstant): void {
    super.prune(nowMs);
    for (const [groupId, lease] of this.leases) if (lease.holderId === null) this.leases.delete(groupId);
  }
}

class ReleasingAnything extends AuditedDatabase {
  override release(sessionId: string, leases: readonly LeaseKey[]): readonly ReleaseResult[] {
    for (const { groupId } of leases) {
      const lease = this.leases.get(groupId);
      if (lease?.holderId !== null && lease !== undefined) {
        this.sessions.get(lease.holderId)?.holds.delete(groupId);
        lease.holderId = null;
        this.check(() => this.audit.released(sessionId, { groupId, term: leases[0]!.term, kind: 'released' }));
      }
    }
    return leases.map((lease) => ({ ...lease, kind: 'released' }));
  }
}

class Fenceless extends AuditedDatabase {
  protected override isFenceOpen(): boolean {
    return true;
  }
}

function readThenWrite(store: LeaseStore, database: AuditedDatabase, scheduler: Scheduler, now: () => number): LeaseStore {
  return {
    ...store,
    claim: (sessionId, groupIds) => {
      const views = database.read(groupIds, now() as StoreInstant);
      return new Promise((resolve) => {
        scheduler.schedule(2, () => {
          for (const view of views) {
            const lease = database.leases.get(view.groupId);
            // It looked free.
            if (view.holder === null && lease && lease.holderId !== sessionId) lease.holderId = null;
          }
          resolve(database.claim(sessionId, groupIds, now() as StoreInstant));
        });
      });
    },
  };
}
