/**
 * What becomes of the scheduled times that have come: which is run, and which are skipped, counted and told of.
 *
 * @module
 */
import type { JobNote, SkipReason } from './job-events.js';
import type { JobPolicy } from './job-options.js';
import type { FinishedOccurrence, JobRecord, OccurrenceCause } from './job-record.js';

/** A record without times that were skipped. */
export interface Skip {
  readonly record: JobRecord;
  readonly notes: readonly JobNote[];
}

/** What is to be done about the times that have come. */
export type DueDecision =
  | { readonly kind: 'none' }
  | { readonly kind: 'skip'; readonly record: JobRecord; readonly notes: readonly JobNote[]; readonly logs: readonly string[] }
  /** The one at `atMs` is to be run; those before it are skipped. */
  | {
      readonly kind: 'run';
      readonly atMs: number;
      readonly cause: OccurrenceCause;
      readonly record: JobRecord;
      readonly notes: readonly JobNote[];
    };

/** Decides about the times up to now. */
export function decideDue(record: JobRecord, policy: JobPolicy, nowMs: number): DueDecision {
  const { trigger, onOverlap, onMisfire, misfireLimit, misfireGraceMs } = policy;
  const { cursorAtMs, anchorAtMs } = record;
  const ignored = ignoreOverlap(record, policy, nowMs);
  if (ignored !== null) return { kind: 'skip', ...ignored };
  const before = settledBefore(record);
  // Where overlaps are ignored, what has come before the job was busy is decided alone.
  const oldestMs = trigger.next(cursorAtMs, anchorAtMs);
  if (oldestMs === null || oldestMs > nowMs) return { kind: 'none' };
  const isOlder = onOverlap !== 'WAIT' && before !== null && oldestMs <= before.busySinceMs;
  const keep = onMisfire === 'run-all' ? misfireLimit : 1;
  const due = trigger.due(cursorAtMs, isOlder ? Math.min(before.busySinceMs, nowMs) : nowMs, anchorAtMs, keep);
  const lastMs = due.lastMs.at(-1);
  if (lastMs === undefined) return { kind: 'none' };
  const isOverlap = (atMs: number): boolean => before !== null && before.busySinceMs < atMs && atMs <= before.endedAtMs;
  const isLate = (atMs: number): boolean => nowMs - atMs > misfireGraceMs;
  const causeOf = (atMs: number): OccurrenceCause => (isOverlap(atMs) ? 'overlap' : isLate(atMs) ? 'misfire' : 'schedule');
  if (onMisfire === 'skip' && causeOf(lastMs) === 'misfire') {
    return { kind: 'skip', ...skipped(record, policy, { ...due, toMs: lastMs, reason: 'misfire' }), logs: [] };
  }
  // The first of those that are run; all before it are skipped.
  const atMs = due.lastMs[0]!;
  const skippedCount = due.count - due.lastMs.length;
  const skippedTo = skippedCount === 0 ? undefined : trigger.due(cursorAtMs, atMs - 1, anchorAtMs, 1).lastMs[0];
  const toMs = skippedTo ?? atMs;
  const rest: Skip =
    skippedCount === 0
      ? { record, notes: [] }
      : skipped(record, policy, { ...due, count: skippedCount, toMs, reason: isOverlap(toMs) ? 'overlap' : 'misfire' });
  const nextAtMs = record.count + 1 < policy.maxCount ? trigger.next(atMs, anchorAtMs) : null;
  return { kind: 'run', atMs, cause: causeOf(atMs), record: { ...rest.record, cursorAtMs: atMs, nextAtMs }, notes: rest.notes };
}

/** Skips what has come while the last occurrence ran, if the policy ignores it; `null`: there is nothing of that. What has come before that comes first. */
export function ignoreOverlap(record: JobRecord, policy: JobPolicy, nowMs: number): (Skip & { readonly logs: readonly string[] }) | null {
  const before = settledBefore(record);
  if (policy.onOverlap === 'WAIT' || before === null || record.count >= policy.maxCount) return null;
  const firstMs = policy.trigger.next(record.cursorAtMs, record.anchorAtMs);
  if (firstMs === null || firstMs <= before.busySinceMs) return null;
  const ignored = skipDue(record, policy, Math.min(nowMs, before.endedAtMs), 'overlap');
  if (ignored === null) return null;
  const count = ignored.record.skippedCount - record.skippedCount;
  const line = `${count} scheduled ${count === 1 ? 'time' : 'times'} ignored while occurrence ${before.occurrence} ran`;
  return { ...ignored, logs: policy.onOverlap === 'LOG_AND_IGNORE' ? [line] : [] };
}

/** Skips all times up to an instant; `null`: there are none. */
export function skipDue(record: JobRecord, policy: JobPolicy, upToMs: number, reason: SkipReason): Skip | null {
  const due = policy.trigger.due(record.cursorAtMs, upToMs, record.anchorAtMs, 1);
  const toMs = due.lastMs[0];
  return toMs === undefined ? null : skipped(record, policy, { ...due, toMs, reason });
}

/**
 * Since when a run that begins now has kept the job busy. Where overlaps are ignored, runs one after the other are one stretch as long as something is left that has come before it: so it is told from what came in it.
 */
export function busySince(record: JobRecord, { trigger, onOverlap, misfireGraceMs }: JobPolicy, nowMs: number, term: number): number {
  const before = settledBefore(record);
  if (onOverlap === 'WAIT' || before === null || before.term !== term || nowMs - before.endedAtMs > misfireGraceMs) return nowMs;
  const oldestMs = trigger.next(record.cursorAtMs, record.anchorAtMs);
  return oldestMs !== null && oldestMs <= before.busySinceMs ? before.busySinceMs : nowMs;
}

/** The last occurrence, if it is known when it ended: of an interrupted one it is not, and what has come since it began was missed. */
function settledBefore({ history }: JobRecord): FinishedOccurrence | null {
  const before = history[0];
  return before === undefined || before.outcome === 'interrupted' ? null : before;
}

interface SkippedTimes {
  readonly reason: SkipReason;
  readonly firstMs: number | null;
  readonly toMs: number;
  readonly count: number;
  readonly isExact: boolean;
}

function skipped(record: JobRecord, { trigger }: JobPolicy, { reason, firstMs, toMs, count, isExact }: SkippedTimes): Skip {
  return {
    record: { ...record, skippedCount: record.skippedCount + count, cursorAtMs: toMs, nextAtMs: trigger.next(toMs, record.anchorAtMs) },
    notes: [{ kind: 'skipped', reason, fromMs: firstMs ?? toMs, toMs, count, isExact }],
  };
}
