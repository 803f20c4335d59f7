import { randomUUID } from 'node:crypto';
import { StoreError, type CallOptions, type Clock, type LeaseStore } from '@wb/core';
import type { ClockReading } from './clock-assessment.js';
import { withinDeadline } from './within-deadline.js';

/** How a store was measured. */
export interface MeasurementOptions {
  readonly clock: Clock;
  /** How long to measure, in ms. A slow store is measured for longer, until there are a few samples. */
  readonly forMs: number;
  /** How long one call may take, in ms. */
  readonly callDeadlineMs: number;
}

/** What was measured. */
export interface Measurement {
  /** Plain statements, one after the other. */
  readonly readings: readonly ClockReading[];
  /** How long heartbeats took, in ms: each is a commit. */
  readonly heartbeatsMs: readonly number[];
  /** Why there are no heartbeats. */
  readonly heartbeatFault: StoreError | null;
}

const FEW = 20;
/** No more than that many times as long as was asked for. */
const PATIENCE = 5;
const PAUSE_MS = 20;

/** Reads the store's clock, and extends a session of its own, again and again; the session is closed in the end. */
export async function measure(store: LeaseStore, options: MeasurementOptions): Promise<Measurement> {
  const { clock, forMs } = options;
  const readings: ClockReading[] = [];
  const heartbeatsMs: number[] = [];
  const sessionId = randomUUID();
  let heartbeatFault = await faultOf(() =>
    call(options, (within) => store.openSession({ sessionId, memberId: 'wb-doctor', ttlMs: 30_000 }, within)),
  );
  try {
    // The first ones open connections and prepare statements.
    await read(store, options);
    const beganAtMs = clock.now().monotonicMs;
    for (;;) {
      const passedMs = clock.now().monotonicMs - beganAtMs;
      if (readings.length > 1 && (passedMs >= forMs * PATIENCE || (passedMs >= forMs && readings.length >= FEW))) break;
      readings.push(await read(store, options));
      if (heartbeatFault === null) {
        const sentAtMs = clock.now().monotonicMs;
        heartbeatFault = await faultOf(() => call(options, (within) => store.heartbeat({ sessionId, holders: [] }, within)));
        heartbeatsMs.push(clock.now().monotonicMs - sentAtMs);
      }
      await new Promise<void>((resolve) => {
        clock.schedule(PAUSE_MS, resolve);
      });
    }
  } finally {
    // Also of one whose opening has failed: it may have come through all the same. What cannot be closed expires.
    await faultOf(() => call(options, (within) => store.closeSession(sessionId, within)));
  }
  return { readings, heartbeatsMs: heartbeatsMs.slice(1), heartbeatFault };
}

async function read(store: LeaseStore, options: MeasurementOptions): Promise<ClockReading> {
  const sentAt = options.clock.now();
  const storeMs = await call(options, (within) => store.readClock!(within));
  return { sentAt, receivedAt: options.clock.now(), storeMs };
}

async function call<T>({ clock, callDeadlineMs }: MeasurementOptions, body: (options: CallOptions) => Promise<T>): Promise<T> {
  return await withinDeadline(clock, callDeadlineMs, body);
}

async function faultOf(attempt: () => Promise<unknown>): Promise<StoreError | null> {
  try {
    await attempt();
    return null;
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}
