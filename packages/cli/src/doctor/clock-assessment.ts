import type { LocalInstant, StoreFinding } from '@wb/core';
import { duration } from '../output.js';

/** The store's clock as it was read once. */
export interface ClockReading {
  readonly sentAt: LocalInstant;
  readonly receivedAt: LocalInstant;
  /** In ms since 1970. */
  readonly storeMs: number;
}

/** What readings of the store's clock say about it and about this machine's. */
export interface ClockAssessment {
  /** How far the store's clock is ahead of this machine's wall clock, in ms; below 0: behind. */
  readonly aheadMs: number;
  /** How far `aheadMs` may be off, in ms. */
  readonly uncertaintyMs: number;
  /** How long the clocks were watched, in ms. */
  readonly watchedMs: number;
  /** By how much the store's clock was set while it was watched, in ms; not by what it may have been on the way to here. */
  readonly storeStepsMs: readonly number[];
  /** By how much this machine's wall clock was set meanwhile, in ms. */
  readonly localStepsMs: readonly number[];
}

/** A clock that is being corrected gently gains or loses less than that between two readings, in ms; and both are read in whole ms. */
const STEP_MS = 10;
/** From here on one of the two clocks is wrong, and not only imprecise, in ms. */
const WRONG_MS = 5_000;

/**
 * Compares the store's clock with this machine's two. The monotonic one says how much time has passed between two readings: at least from the first answer to the second question, at most from the first question to the
 * second answer. What the store's clock says beyond that, it was set by. `null` without a reading.
 */
export function assessClock(readings: readonly ClockReading[]): ClockAssessment | null {
  // The quickest answer leaves the least room.
  const best = readings.toSorted((a, b) => tripMs(a) - tripMs(b))[0];
  if (best === undefined) return null;
  const storeStepsMs: number[] = [];
  const localStepsMs: number[] = [];
  for (const [at, later] of readings.entries()) {
    const earlier = readings[at - 1];
    if (earlier === undefined) continue;
    const leastMs = later.sentAt.monotonicMs - earlier.receivedAt.monotonicMs;
    const mostMs = later.receivedAt.monotonicMs - earlier.sentAt.monotonicMs;
    const byStoreMs = later.storeMs - earlier.storeMs;
    if (byStoreMs > mostMs + STEP_MS) storeStepsMs.push(byStoreMs - mostMs);
    if (byStoreMs < leastMs - STEP_MS) storeStepsMs.push(byStoreMs - leastMs);
    const driftMs = later.sentAt.wallMs - earlier.sentAt.wallMs - (later.sentAt.monotonicMs - earlier.sentAt.monotonicMs);
    if (Math.abs(driftMs) > STEP_MS) localStepsMs.push(driftMs);
  }
  return {
    aheadMs: best.storeMs - (best.sentAt.wallMs + tripMs(best) / 2),
    uncertaintyMs: tripMs(best) / 2 + 1,
    watchedMs: readings.at(-1)!.receivedAt.monotonicMs - readings[0]!.sentAt.monotonicMs,
    storeStepsMs,
    localStepsMs,
  };
}

/** What there is to say about the clocks. The store's decides (T1); this machine's matters to people who read logs. */
export function clockFindings({ aheadMs, uncertaintyMs, watchedMs, storeStepsMs, localStepsMs }: ClockAssessment): readonly StoreFinding[] {
  const topic = 'clock';
  const findings: StoreFinding[] = [];
  const where = `${span(aheadMs)} ${aheadMs < 0 ? 'behind' : 'ahead of'} this machine's (± ${span(uncertaintyMs)})`;
  if (storeStepsMs.length > 0) {
    findings.push({
      topic,
      state: 'problem',
      summary: `the store's clock was set while it was watched, by ${storeStepsMs.map(signed).join(', ')}: forward ends sessions early, and leaders stop; back keeps the group of a dead leader longer`,
      advice: 'have it corrected gently (chrony without makestep, ntpd -x), and never by a step',
    });
  }
  if (Math.abs(aheadMs) - uncertaintyMs >= WRONG_MS) {
    findings.push({
      topic,
      state: 'problem',
      summary: `the store's clock is ${where}: one of them is wrong; only the store's counts (T1), and leases are safe until somebody sets it`,
      advice: "find out which is wrong; if it is the server's, correct it gently, or while no leader is at work",
    });
  } else if (storeStepsMs.length === 0) {
    findings.push({
      topic,
      state: 'ok',
      summary: `the store's clock is ${where}, which does not matter (T1), and went evenly for ${span(watchedMs)}`,
    });
  }
  if (localStepsMs.length > 0) {
    findings.push({
      topic,
      state: 'note',
      summary: `this machine's wall clock was set while it was watched, by ${localStepsMs.map(signed).join(', ')}: forward by more than a TTL ends the trust in a lease (T3)`,
    });
  }
  return findings;
}

function tripMs({ sentAt, receivedAt }: ClockReading): number {
  return receivedAt.monotonicMs - sentAt.monotonicMs;
}

function signed(ms: number): string {
  return `${ms < 0 ? '−' : '+'}${span(ms)}`;
}

function span(ms: number): string {
  const size = Math.abs(ms);
  return size < 1_000 ? `${Math.round(size)} ms` : duration(size);
}
