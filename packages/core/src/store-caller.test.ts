import { describe, expect, it } from 'vitest';
import { CountingClock } from '../test-support/counting-clock.js';
import { StoreError, WbError, WbOptionError } from './errors.js';
import { EventStream } from './event-stream.js';
import type { StoreFaultEvent, StoreRecoveredEvent } from './events.js';
import { StoreCaller } from './store-caller.js';
import { Scheduler, VirtualClock } from './testing/index.js';

class Bench {
  readonly scheduler = new Scheduler();
  readonly clock = new CountingClock(new VirtualClock(this.scheduler));
  readonly events: (StoreFaultEvent | StoreRecoveredEvent)[] = [];
  readonly caller: StoreCaller;

  constructor() {
    const stream = new EventStream();
    stream.on('store-fault', (event) => this.events.push(event));
    stream.on('store-recovered', (event) => this.events.push(event));
    this.caller = new StoreCaller(this.clock, stream);
  }

  /** What a call comes to, and when. */
  async outcome<T>(
    call: Promise<T>,
    limitMs: number = 10_000,
  ): Promise<{ readonly value?: T; readonly error?: unknown; readonly atMs: number }> {
    let result: { value?: T; error?: unknown; atMs: number } | undefined;
    call.then(
      (value) => {
        result = { value, atMs: this.scheduler.nowMs };
      },
      (error: unknown) => {
        result = { error, atMs: this.scheduler.nowMs };
      },
    );
    await this.scheduler.runFor(limitMs);
    if (!result) throw new Error(`not settled within ${limitMs} ms`);
    return result;
  }
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('a store call', () => {
  it('gives its value, and leaves no timer behind', async () => {
    const { caller, clock, events } = new Bench();
    expect(await caller.call('read', 100, () => Promise.resolve('value'))).toBe('value');
    expect(clock.waitingCount).toBe(0);
    expect(caller.fault).toBeNull();
    expect(events).toEqual([]);
  });

  it('T5: settles at its deadline even if the store does not heed the signal', async () => {
    const bench = new Bench();
    const { error, atMs } = await bench.outcome(bench.caller.call('claim', 100, never));
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({
      code: 'STORE_TIMEOUT',
      outcome: 'unknown',
      isRetryable: true,
      message: '`claim` had no answer within 100 ms',
    });
    expect(atMs).toBeGreaterThanOrEqual(100);
    expect(atMs).toBeLessThan(101);
    expect(bench.clock.waitingCount).toBe(0);
  });

  it('T5: tells the store at the deadline, by its signal, with the reason', async () => {
    const bench = new Bench();
    let given: AbortSignal | undefined;
    const call = bench.caller.call('claim', 100, (signal) => {
      given = signal;
      return never();
    });
    expect(given?.aborted).toBe(false);
    await bench.outcome(call);
    expect(given?.aborted).toBe(true);
    expect(given?.reason).toMatchObject({ code: 'STORE_TIMEOUT' });
  });

  it('T5: an answer after the deadline is dropped, be it good or bad', async () => {
    for (const late of [(): Promise<string> => Promise.resolve('late'), (): Promise<string> => Promise.reject(new Error('late'))]) {
      const bench = new Bench();
      const call = bench.caller.call(
        'claim',
        100,
        () =>
          new Promise<string>((resolve, reject) => {
            bench.scheduler.schedule(200, () => void late().then(resolve, reject));
          }),
      );
      const { error } = await bench.outcome(call);
      expect(error).toMatchObject({ code: 'STORE_TIMEOUT' });
      expect(bench.events.length).toBe(1);
      expect(bench.caller.fault).toBe(error);
    }
  });

  it('a StoreError comes out as it is', async () => {
    const { caller } = new Bench();
    const busy = new StoreError('STORE_BUSY', 'locked', { isRetryable: true, outcome: 'none' });
    await expect(caller.call('claim', 100, () => Promise.reject(busy))).rejects.toBe(busy);
  });

  it('anything else becomes one, with its cause, and an outcome that is unknown', async () => {
    const { caller } = new Bench();
    const below = new TypeError('x is not a function');
    await expect(caller.call('claim', 100, () => Promise.reject(below))).rejects.toMatchObject({
      name: 'StoreError',
      code: 'STORE_FAULT',
      message: '`claim` failed: x is not a function',
      outcome: 'unknown',
      isRetryable: false,
      cause: below,
    });
    const retryable = new WbError('LEASE_NOT_HELD', 'odd', { isRetryable: true });
    await expect(caller.call('claim', 100, () => Promise.reject(retryable))).rejects.toMatchObject({ isRetryable: true });
    const option = new WbOptionError('INVALID_NAME', 'groupId', 'odd');
    await expect(caller.call('claim', 100, () => Promise.reject(option))).rejects.toMatchObject({ code: 'STORE_FAULT', cause: option });
    // oxlint-disable-next-line prefer-promise-reject-errors
    await expect(caller.call('claim', 100, () => Promise.reject('no error at all'))).rejects.toMatchObject({
      message: '`claim` failed: no error at all',
    });
  });

  it('a store that throws before it returns a promise is no different', async () => {
    const { caller, clock } = new Bench();
    await expect(
      caller.call('claim', 100, () => {
        throw new Error('at once');
      }),
    ).rejects.toMatchObject({ code: 'STORE_FAULT', message: '`claim` failed: at once' });
    expect(clock.waitingCount).toBe(0);
  });
});

describe('F17: faults and recovery', () => {
  it('are reported with their count in a row, over all operations', async () => {
    const { caller, events } = new Bench();
    const fail = (operation: string): Promise<unknown> =>
      caller.call(operation, 100, () => Promise.reject(new Error('down'))).catch((error: unknown) => error);
    const first = await fail('heartbeat');
    const second = await fail('claim');
    expect(caller.fault).toBe(second);
    expect(events).toEqual([
      { kind: 'store-fault', operation: 'heartbeat', error: first, failureCount: 1 },
      { kind: 'store-fault', operation: 'claim', error: second, failureCount: 2 },
    ]);
    await caller.call('read', 100, () => Promise.resolve());
    expect(caller.fault).toBeNull();
    expect(events.at(-1)).toEqual({ kind: 'store-recovered', operation: 'read', failureCount: 2 });
    await caller.call('read', 100, () => Promise.resolve());
    expect(events.length).toBe(3);
    await fail('read');
    expect(events.at(-1)).toMatchObject({ failureCount: 1 });
  });
});

describe('a call that is no longer wanted', () => {
  it('ends with the scope that it was made in, and that is no fault', async () => {
    const bench = new Bench();
    const scope = new AbortController();
    const call = bench.caller.call('claim', 100, never, scope.signal);
    const reason = new StoreError('STORE_TIMEOUT', 'the session is over');
    bench.scheduler.schedule(10, () => scope.abort(reason));
    const { error, atMs } = await bench.outcome(call);
    expect(error).toBe(reason);
    expect(atMs).toBe(10);
    expect(bench.events).toEqual([]);
    expect(bench.caller.fault).toBeNull();
    expect(bench.clock.waitingCount).toBe(0);
  });

  it('is ended with all the others at the close', async () => {
    const bench = new Bench();
    const closed = new StoreError('STORE_CLOSED', 'the coordinator is closed');
    const calls = [bench.caller.call('claim', 100, never), bench.caller.call('read', 100, never)];
    bench.caller.abortAll(closed);
    await expect(calls[0]).rejects.toBe(closed);
    await expect(calls[1]).rejects.toBe(closed);
    expect(bench.clock.waitingCount).toBe(0);
  });
});
