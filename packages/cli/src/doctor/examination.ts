import { StoreError, type LeaseStore, type StoreFinding, type Timings } from '@wb/core';
import { assessClock, clockFindings, type ClockAssessment } from './clock-assessment.js';
import { measure, type MeasurementOptions } from './measurement.js';
import { isRoomy, recommendTimings, type Recommendation } from './recommended-timings.js';
import { summarize, type SampleSummary } from './sample-summary.js';
import { withinDeadline } from './within-deadline.js';

/** All that the doctor found out. */
export interface Examination {
  readonly findings: readonly StoreFinding[];
  readonly roundTrip: SampleSummary | null;
  readonly heartbeat: SampleSummary | null;
  readonly clock: ClockAssessment | null;
  readonly recommendation: Recommendation | null;
}

/** What to look at. */
export interface ExaminationOptions extends MeasurementOptions {
  /** The timings that are to be used; `null`: not decided. */
  readonly timings: Timings | null;
  /** For how long the database may be away, in ms. */
  readonly surviveMs: number;
}

/**
 * Examines a store that can diagnose itself and tell its time.
 * @throws `StoreError` if it cannot be reached.
 */
export async function examine(store: LeaseStore, options: ExaminationOptions): Promise<Examination> {
  let found: readonly StoreFinding[];
  try {
    // It makes many calls.
    found = await withinDeadline(options.clock, 3 * options.callDeadlineMs, (within) => store.diagnose!(within));
  } catch (error) {
    // It is there, and refuses: that is what was to be found out.
    if (!(error instanceof StoreError) || error.code !== 'STORE_REFUSED') throw error;
    const refusal: StoreFinding = {
      topic: 'access',
      state: 'problem',
      summary: error.message,
      advice: 'see "Roles and grants" (docs/grants.md)',
    };
    return { findings: [refusal], roundTrip: null, heartbeat: null, clock: null, recommendation: null };
  }
  const { readings, heartbeatsMs, heartbeatFault } = await measure(store, options);
  const clock = assessClock(readings);
  const roundTrip = summarize(readings.map(({ sentAt, receivedAt }) => receivedAt.monotonicMs - sentAt.monotonicMs));
  const heartbeat = heartbeatFault === null ? summarize(heartbeatsMs) : null;
  const recommendation = heartbeat === null ? null : recommendTimings(heartbeat.p99Ms, options.surviveMs);
  const findings = [
    ...found,
    { topic: 'hints', state: 'ok', summary: hints(store) } satisfies StoreFinding,
    ...(clock === null ? [] : clockFindings(clock)),
    ...roundTripFindings(roundTrip, heartbeat),
    ...faultFindings(heartbeatFault, found),
    ...timingsFindings(options.timings, heartbeat),
    ...recommendationFindings(recommendation, heartbeat, options.surviveMs),
  ];
  return { findings, roundTrip, heartbeat, clock, recommendation };
}

function hints({ capabilities }: LeaseStore): string {
  return capabilities.watch ? 'a hand-over is told to the others at once' : 'none: a hand-over is noticed by the next heartbeat';
}

function roundTripFindings(roundTrip: SampleSummary | null, heartbeat: SampleSummary | null): readonly StoreFinding[] {
  if (roundTrip === null) return [];
  const parts = [`a plain statement ${times(roundTrip)}`];
  if (heartbeat !== null) parts.push(`a heartbeat, which is a commit, ${times(heartbeat)}`);
  return [{ topic: 'round-trip', state: 'ok', summary: parts.join('; ') }];
}

function times({ p50Ms, p99Ms, count }: SampleSummary): string {
  return `p50 ${milliseconds(p50Ms)}, p99 ${milliseconds(p99Ms)} (${count})`;
}

/** A duration with two digits that count: `0.42 ms`, `3.1 ms`, `140 ms`. */
export function milliseconds(ms: number): string {
  return `${ms < 1 ? ms.toFixed(2) : ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function faultFindings(fault: StoreError | null, found: readonly StoreFinding[]): readonly StoreFinding[] {
  if (fault === null) return [];
  // Why has been said already, if it was seen.
  const isExplained = found.some(({ state }) => state === 'problem');
  return [{ topic: 'heartbeat', state: isExplained ? 'note' : 'problem', summary: `cannot be measured: ${fault.message}` }];
}

function timingsFindings(timings: Timings | null, heartbeat: SampleSummary | null): readonly StoreFinding[] {
  if (timings === null || heartbeat === null) return [];
  const topic = 'timings';
  const { ttlMs, heartbeatMs, callDeadlineMs } = timings;
  const given = `with ttlMs ${ttlMs} and heartbeatMs ${heartbeatMs} a call may take ${callDeadlineMs} ms`;
  if (isRoomy(timings, heartbeat.p99Ms))
    return [{ topic, state: 'ok', summary: `${given}; a slow heartbeat takes ${milliseconds(heartbeat.p99Ms)}` }];
  return [
    {
      topic,
      state: 'problem',
      summary: `${given}, and a slow heartbeat takes ${milliseconds(heartbeat.p99Ms)}: leaders will stop for no reason`,
      advice: 'make the TTL longer',
    },
  ];
}

function recommendationFindings(
  recommendation: Recommendation | null,
  heartbeat: SampleSummary | null,
  surviveMs: number,
): readonly StoreFinding[] {
  if (recommendation !== null || heartbeat === null) return [];
  return [
    {
      topic: 'timings',
      state: 'problem',
      summary: `no TTL up to an hour is long enough for heartbeats of ${milliseconds(heartbeat.p99Ms)}${surviveMs > 0 ? ` and a database that is away for ${surviveMs / 1_000} s` : ''}`,
      advice: 'find out why the database is that slow',
    },
  ];
}
