import type { JobNote } from './job-events.js';
import type { JobPolicy } from './job-options.js';
import type { JobRecord } from './job-record.js';
import { skipDue, type Skip } from './due-times.js';

/** Before every instant. */
const NEVER_MS = Number.MIN_SAFE_INTEGER;

/** The record of a job that nobody has seen yet. */
export function firstRecord(policy: JobPolicy, nowMs: number): JobRecord {
  const fresh: JobRecord = {
    format: 1,
    endReason: null,
    isPaused: false,
    isRestarting: false,
    trigger: '',
    anchorAtMs: 0,
    cursorAtMs: NEVER_MS,
    nextAtMs: null,
    count: 0,
    runCount: 0,
    failedCount: 0,
    skippedCount: 0,
    requestedAtMs: null,
    requestId: null,
    answer: null,
    running: null,
    history: [],
  };
  return begun(fresh, policy, nowMs);
}

/**
 * Takes another trigger over. Times count from now on. What the old one still had to come is not made up for, and not known any more, but for its next time: if that has passed, at least one was missed.
 */
export function retriggered(record: JobRecord, policy: JobPolicy, nowMs: number): Skip {
  const { nextAtMs } = record;
  const isMissed = nextAtMs !== null && nextAtMs <= nowMs;
  const changed: JobNote = { kind: 'retriggered', from: record.trigger, to: policy.trigger.text };
  const skipped: JobNote = { kind: 'skipped', reason: 'changed', fromMs: nextAtMs ?? nowMs, toMs: nowMs, count: 1, isExact: false };
  return {
    record: begun(isMissed ? { ...record, skippedCount: record.skippedCount + 1 } : record, policy, nowMs),
    notes: isMissed ? [changed, skipped] : [changed],
  };
}

/** Begins the schedule anew, as somebody has asked: as if no leader had seen it before, but for what is told of its past. */
export function restarted(record: JobRecord, policy: JobPolicy, nowMs: number): Skip {
  const isOver = record.endReason !== null || record.count >= policy.maxCount || record.trigger !== policy.trigger.text;
  const dropped = isOver ? null : skipDue(record, policy, nowMs, 'restarted');
  const fresh = { ...(dropped?.record ?? record), endReason: null, isRestarting: false, count: 0, cursorAtMs: NEVER_MS };
  return { record: begun(fresh, policy, nowMs), notes: [...(dropped?.notes ?? []), { kind: 'restarted' }] };
}

/** Times count from now on. */
function begun(record: JobRecord, policy: JobPolicy, nowMs: number): JobRecord {
  const { trigger, startAtMs, isSingle, isEvery, misfireGraceMs } = policy;
  const anchorAtMs = isEvery && Number.isFinite(startAtMs) ? startAtMs : nowMs;
  // Whoever begins at `startAt` is not too late for the first one by a few ms.
  const fromMs = startAtMs <= nowMs && nowMs - startAtMs <= misfireGraceMs ? startAtMs : nowMs;
  // One instant is missed when it has passed; of the others the next one comes.
  const cursorAtMs = isSingle ? record.cursorAtMs : Math.max(record.cursorAtMs, fromMs - 1);
  return { ...record, trigger: trigger.text, anchorAtMs, cursorAtMs, nextAtMs: trigger.next(cursorAtMs, anchorAtMs) };
}
