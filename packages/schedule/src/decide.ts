/**
 * What is to be done about a job, as a pure function of its record, its options and the time: no clock, no store, no work. The shell around it ([job-loop.ts](job-loop.ts)) writes what is decided here under the lease,
 * and does it only if that write was applied.
 *
 * @module
 */
import { busySince, decideDue, skipDue } from './due-times.js';
import { firstRecord, restarted, retriggered } from './fresh-record.js';
import type { JobNote } from './job-events.js';
import type { JobPolicy } from './job-options.js';
import type { JobEndReason, JobRecord, OccurrenceCause, RunningOccurrence } from './job-record.js';
import { over, retryDelayMs } from './settle.js';

/** Who decides. */
export interface Decider {
  readonly term: number;
  readonly memberId: string;
}

/** What is to be done. */
export type Decision =
  /** Nothing until then; `null`: nothing until the record changes. */
  | {
      readonly kind: 'wait';
      readonly untilMs: number | null;
      /** Given: times up to this one, which is ahead of the clock by more than the grace, are decided already: one of the clocks is wrong. */
      readonly decidedToMs?: number;
    }
  /** Write the record, and decide again. */
  | { readonly kind: 'write'; readonly record: JobRecord; readonly notes: readonly JobNote[]; readonly logs?: readonly string[] }
  /** Write the record, and run what it says that runs. */
  | { readonly kind: 'run'; readonly record: JobRecord & { readonly running: RunningOccurrence }; readonly notes: readonly JobNote[] }
  /** The job is over, for good. */
  | { readonly kind: 'over'; readonly reason: JobEndReason };

/**
 * Decides about a job of which nothing runs here: what its record says that runs was interrupted, or waits for its next attempt.
 * @param record `null`: there is none yet.
 */
export function decide(record: JobRecord | null, policy: JobPolicy, nowMs: number, who: Decider): Decision {
  if (record === null) return { kind: 'write', record: firstRecord(policy, nowMs), notes: [] };
  if (record.running === null && record.isRestarting) return { kind: 'write', ...restarted(record, policy, nowMs) };
  if (record.endReason !== null) return { kind: 'over', reason: record.endReason };
  if (record.trigger !== policy.trigger.text) return { kind: 'write', ...retriggered(record, policy, nowMs) };
  if (record.isPaused) return decidePaused(record, policy, nowMs, who);
  if (record.running !== null) return decideRunning(record, record.running, policy, nowMs, who);
  if (record.requestedAtMs !== null) return runRequested(record, record.requestedAtMs, policy, nowMs, who);
  return decideScheduled(record, policy, nowMs, who);
}

function decideScheduled(record: JobRecord, policy: JobPolicy, nowMs: number, who: Decider): Decision {
  const { trigger, misfireGraceMs } = policy;
  const { cursorAtMs, anchorAtMs } = record;
  if (record.count >= policy.maxCount) return finish(record, 'max-count');
  const due = decideDue(record, policy, nowMs);
  switch (due.kind) {
    case 'none': {
      const untilMs = trigger.next(cursorAtMs, anchorAtMs);
      if (untilMs === null) return finish(record, 'no-more-times');
      return cursorAtMs - nowMs > misfireGraceMs ? { kind: 'wait', untilMs, decidedToMs: cursorAtMs } : { kind: 'wait', untilMs };
    }
    case 'skip':
      return { kind: 'write', record: due.record, notes: due.notes, logs: due.logs };
    case 'run':
      return claim(
        { ...due.record, count: record.count + 1 },
        due.atMs,
        due.cause,
        busySince(record, policy, nowMs, who.term),
        nowMs,
        who,
        due.notes,
      );
  }
}

/** Nothing begins but what somebody asks for. Times are skipped as they come, so that it is known which have come since somebody has it go on. */
function decidePaused(record: JobRecord, policy: JobPolicy, nowMs: number, who: Decider): Decision {
  const hasTimes = record.count < policy.maxCount;
  const skip = hasTimes ? skipDue(record, policy, nowMs, 'paused') : null;
  if (skip !== null) return { kind: 'write', ...skip };
  const wait: Decision = { kind: 'wait', untilMs: hasTimes ? policy.trigger.next(record.cursorAtMs, record.anchorAtMs) : null };
  if (record.running !== null) {
    const decision = decideRunning(record, record.running, policy, nowMs, who);
    return decision.kind === 'write' ? decision : wait;
  }
  return record.requestedAtMs === null ? wait : runRequested(record, record.requestedAtMs, policy, nowMs, who);
}

function runRequested(record: JobRecord, requestedAtMs: number, policy: JobPolicy, nowMs: number, who: Decider): Decision {
  const busySinceMs = busySince(record, policy, nowMs, who.term);
  return claim({ ...record, requestedAtMs: null }, requestedAtMs, 'manual', busySinceMs, nowMs, who, []);
}

function claim(
  record: JobRecord,
  scheduledAtMs: number,
  cause: OccurrenceCause,
  busySinceMs: number,
  nowMs: number,
  who: Decider,
  notes: readonly JobNote[],
): Decision {
  const occurrence = record.runCount + 1;
  const running = {
    occurrence,
    scheduledAtMs,
    cause,
    startedAtMs: nowMs,
    busySinceMs,
    attempt: 1,
    rerunCount: 0,
    retryAtMs: null,
    interruptedAtMs: null,
    checkpoint: null,
    ...who,
  };
  return {
    kind: 'run',
    record: { ...record, runCount: occurrence, running },
    notes: [...notes, { kind: 'began', occurrence, scheduledAtMs, cause, attempt: 1, isRerun: false }],
  };
}

/** What the record says that runs does not run here. */
function decideRunning(record: JobRecord, running: RunningOccurrence, policy: JobPolicy, nowMs: number, who: Decider): Decision {
  const { occurrence, scheduledAtMs, cause, retryAtMs, rerunCount } = running;
  if (retryAtMs !== null) {
    // By the clock of whoever led then: if that was ahead of this one, it is waited for no longer than the whole pause.
    if (nowMs < retryAtMs && retryAtMs - nowMs <= retryDelayMs(policy.retry, running.attempt)) return { kind: 'wait', untilMs: retryAtMs };
    const attempt = running.attempt + 1;
    const busySinceMs = running.term === who.term ? running.busySinceMs : nowMs;
    return {
      kind: 'run',
      record: { ...record, running: { ...running, ...who, busySinceMs, attempt, retryAtMs: null } },
      notes: [{ kind: 'began', occurrence, scheduledAtMs, cause, attempt, isRerun: rerunCount > 0 }],
    };
  }
  const asked = record.answer ?? policy.onInterrupted;
  // Somebody's answer has no limit.
  const next = asked === 'rerun' && record.answer === null && rerunCount >= policy.maxReruns ? 'skip' : asked;
  const isNews = running.interruptedAtMs === null;
  const found: readonly JobNote[] = isNews
    ? [{ kind: 'interrupted', occurrence, scheduledAtMs, memberId: running.memberId, policy: next }]
    : [];
  switch (next) {
    case 'ask':
      if (!isNews) return { kind: 'wait', untilMs: null };
      return { kind: 'write', record: { ...record, running: { ...running, interruptedAtMs: nowMs } }, notes: found };
    case 'skip':
      return {
        kind: 'write',
        record: over({ ...record, answer: null }, running, 'interrupted', nowMs, null),
        notes: [...found, { kind: 'ended', occurrence, scheduledAtMs, outcome: 'interrupted' }],
      };
    case 'rerun':
      return {
        kind: 'run',
        record: {
          ...record,
          answer: null,
          running: { ...running, ...who, busySinceMs: nowMs, rerunCount: rerunCount + 1, interruptedAtMs: null },
        },
        notes: [...found, { kind: 'began', occurrence, scheduledAtMs, cause, attempt: running.attempt, isRerun: true }],
      };
  }
}

function finish(record: JobRecord, reason: JobEndReason): Decision {
  return { kind: 'write', record: { ...record, endReason: reason, nextAtMs: null }, notes: [{ kind: 'finished', reason }] };
}
