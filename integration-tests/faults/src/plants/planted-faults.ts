import type { LeaseStore } from '@wb/core';
import { changedStore } from '../changed-store.js';

/** A change of one module of a package's, in the copy that a planted member runs. */
export interface Patch {
  /** Which module: `core/session-machine`. */
  readonly module: string;
  /** What stands there, in the source as in what is built of it; wherever it stands, it becomes `to`. */
  readonly from: string;
  readonly to: string;
}

/** A way to break a member, to see that the run notices. */
export interface PlantedFault {
  readonly title: string;
  /** The rules that it breaks: a violation of another one does not count as found. */
  readonly rules: readonly string[];
  /** In a copy of the core, or of each store. */
  readonly patches?: readonly Patch[];
  /** It shows in jobs only: the run has some. */
  readonly needsJobs?: boolean;
  /** Between the coordinator and the real store. */
  readonly store?: (store: LeaseStore) => LeaseStore;
  /** The work does not look at its signal or its lease. */
  readonly ignoresAbort?: boolean;
  /** It writes without the fence. */
  readonly isUnfenced?: boolean;
  /** It takes a write for done that was only sent. */
  readonly acknowledgesEarly?: boolean;
}

/** Every planted fault, by name. */
export const plantedFaults: Readonly<Record<string, PlantedFault>> = {
  'trust-from-reply': {
    title: 'trust counted from the reply instead of from the sending',
    rules: ['T2'],
    patches: [
      { module: 'core/session-machine', from: 'trust.trustedUntil(event.sentAt, timings)', to: 'trust.trustedUntil(now, timings)' },
    ],
  },
  'reviving-heartbeat': {
    title: 'a heartbeat that revives a session that is dead',
    rules: ['S2', 'T2', 'T4'],
    patches: [
      {
        module: 'postgres/postgres-session-sql',
        from: 'expires_at_ms = case when n.expires_at_ms > ${nowMs} then ${nowMs} + n.ttl_ms else n.expires_at_ms end',
        to: 'expires_at_ms = ${nowMs} + n.ttl_ms',
      },
      {
        module: 'postgres/postgres-session-sql',
        from: 'closed = case when n.expires_at_ms > ${nowMs} then 0 else 1 end',
        to: 'closed = 0',
      },
      {
        module: 'postgres/postgres-session-sql',
        from: 'from own n where s.session_id = n.session_id and n.closed = 0\n        returning s.session_id, s.closed, s.grant_count',
        to: 'from own n where s.session_id = n.session_id\n        returning s.session_id, s.closed, s.grant_count',
      },
      {
        module: 'mysql/mysql-session-sql',
        from: 'set closed = if(expires_at_ms <= ${NOW_MS}, 1, 0), expires_at_ms = if(expires_at_ms <= ${NOW_MS}, expires_at_ms, ${NOW_MS} + ttl_ms)\n      where session_id = :sessionId and closed = 0`',
        to: 'set closed = 0, expires_at_ms = ${NOW_MS} + ttl_ms\n      where session_id = :sessionId`',
      },
      {
        module: 'sqlite/sqlite-session-sql',
        from: 'iif(expires_at_ms > ${p.nowMs}, ${p.nowMs} + ttl_ms, expires_at_ms)',
        to: '${p.nowMs} + ttl_ms',
      },
      { module: 'sqlite/sqlite-session-sql', from: '`expires_at_ms <= ${p.nowMs}`', to: '`0`' },
    ],
  },
  'claim-without-guard': {
    title: 'a claim that takes a group from its live holder',
    rules: ['T2', 'T4', 'T6'],
    patches: [
      { module: 'postgres/postgres-claim-sql', from: 'from seen v where v.is_own or not v.is_held', to: 'from seen v' },
      {
        module: 'postgres/postgres-claim-sql',
        from: 'where k.session_id is null or d.session_id is not null or k.is_gone',
        to: 'where k.session_id is distinct from n.session_id',
      },
      {
        module: 'mysql/claim-part',
        from: 'if (holder === null || row.isOdd === 1)',
        to: 'if (holder === null || row.isOdd === 1 || holder.sessionId !== sessionId)',
      },
      {
        module: 'mysql/mysql-claim-sql',
        from: 'and (l.session_id is null or not exists (select 1 from {session} s where s.session_id = l.session_id and s.closed = 0))',
        to: 'and (l.session_id is null or l.session_id <> :sessionId)',
      },
      {
        module: 'sqlite/sqlite-claim-sql',
        from: "`s.session_id = ${sql.ref('lease.session_id')}`",
        to: "`s.session_id = ${sql.ref('lease.session_id')} and s.session_id = ${p.sessionId}`",
      },
    ],
  },
  'no-abort': {
    title: 'work that is not told when trust is lost',
    rules: ['T4'],
    patches: [
      {
        module: 'core/group-machine',
        from: "effects: [{ kind: 'abort-work', reason }],",
        to: "effects: reason === 'lost-trust' ? [] : [{ kind: 'abort-work', reason }],",
      },
    ],
  },
  'early-release': {
    title: 'a lease that is released when its work has been told to stop, and has not settled',
    rules: ['T7', 'T2'],
    patches: [
      {
        module: 'core/group-machine',
        from: "phase: 'settling',",
        to: "phase: reason === 'resigned' || reason === 'closed' ? 'releasing' : 'settling',",
      },
      {
        module: 'core/group-machine',
        from: "effects: [{ kind: 'abort-work', reason }],",
        to: "effects: [{ kind: 'abort-work', reason }, ...(reason === 'resigned' || reason === 'closed' ? [{ kind: 'release', lease: state.lease }] : [])],",
      },
    ],
  },
  'short-session': {
    title: 'a session that the store ends sooner than its member believes',
    rules: ['T2'],
    store: (store) =>
      changedStore(store, {
        openSession: (session, options) => store.openSession({ ...session, ttlMs: Math.ceil(session.ttlMs / 2) }, options),
      }),
  },
  'deaf-standby': {
    title: 'a standby that was refused once and never claims again (F3)',
    rules: ['T9'],
    store: (store) => {
      let isDeaf = false;
      return changedStore(store, {
        claim: async (sessionId, groupIds, options) => {
          if (isDeaf) return groupIds.map((groupId) => ({ kind: 'refused', groupId, reason: 'busy' }));
          const results = await store.claim(sessionId, groupIds, options);
          isDeaf = results.some((result) => result.kind === 'refused');
          return results;
        },
      });
    },
  },
  'job-claim-unsent': {
    title: 'a claim of an occurrence that is taken for written when it is sent',
    rules: ['once'],
    needsJobs: true,
    store: (store) =>
      changedStore(store, {
        writeJob: async (write, options) => {
          const { running } = JSON.parse(write.record) as { readonly running: object | null };
          const result = store.writeJob!(write, options);
          if (running === null) return await result;
          result.catch(() => undefined);
          return { kind: 'written', version: write.expectedVersion + 1 };
        },
      }),
  },
  'deaf-work': { title: 'work that goes on when its leadership has ended', rules: ['T4'], ignoresAbort: true },
  'no-fence': { title: 'writes without a fence', rules: ['T8'], isUnfenced: true },
  'early-acknowledgement': { title: 'writes that are acknowledged before they are made', rules: ['lost'], acknowledgesEarly: true },
};
