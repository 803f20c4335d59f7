import { once } from 'node:events';
import { setTimeout as setNodeTimer } from 'node:timers';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { microtasksDone, systemClock } from './clock.js';

/** The beginnings of two years, in ms since 1970. */
const YEAR_2024 = 1_704_067_200_000;
const YEAR_2030 = 1_893_456_000_000;
const A_DAY_MS = 24 * 60 * 60 * 1_000;

describe('the clocks of this machine', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: YEAR_2024 });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('T3: there are two: a monotonic one, and the wall clock, which may be set', () => {
    const before = systemClock.now();
    vi.advanceTimersByTime(1_000);
    const after = systemClock.now();
    expect(after.monotonicMs - before.monotonicMs).toBeCloseTo(1_000, 3);
    expect(after.wallMs - before.wallMs).toBe(1_000);
    vi.setSystemTime(YEAR_2030);
    const set = systemClock.now();
    expect(set.wallMs).toBe(YEAR_2030);
    expect(set.monotonicMs).toBeCloseTo(after.monotonicMs, 3);
  });

  it('a timer fires once, and never early: fractions are rounded up', () => {
    let firedCount = 0;
    systemClock.schedule(10.2, () => {
      firedCount += 1;
    });
    vi.advanceTimersByTime(10);
    expect(firedCount).toBe(0);
    vi.advanceTimersByTime(1);
    expect(firedCount).toBe(1);
    vi.advanceTimersByTime(1_000);
    expect(firedCount).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a timer that is cancelled never fires, however often it is', () => {
    let firedCount = 0;
    const timer = systemClock.schedule(10, () => {
      firedCount += 1;
    });
    timer.cancel();
    timer.cancel();
    vi.advanceTimersByTime(1_000);
    expect(firedCount).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a timer of more days than Node can count does not fire at once', () => {
    let firedCount = 0;
    for (const delayMs of [60 * A_DAY_MS, Number.MAX_SAFE_INTEGER]) {
      systemClock.schedule(delayMs, () => {
        firedCount += 1;
      });
    }
    vi.advanceTimersByTime(A_DAY_MS);
    expect(firedCount).toBe(0);
  });

  it('cannot be tampered with', () => {
    expect(Object.isFrozen(systemClock)).toBe(true);
  });
});

describe('microtasksDone', () => {
  it('resolves after every microtask that waits, and those that they cause', async () => {
    let depth = 0;
    const dig = (): void => {
      depth += 1;
      if (depth < 1_000) queueMicrotask(dig);
    };
    queueMicrotask(dig);
    await microtasksDone();
    expect(depth).toBe(1_000);
  });
});

describe('a timer that comes late', () => {
  it('T5: comes after what has arrived meanwhile: an answer in time is not thrown away because the event loop was busy', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [peer] = (await once(server, 'connection')) as [Socket];
    await once(client, 'ready');
    const seen: string[] = [];
    client.on('data', () => seen.push('answer'));
    const over = new Promise<void>((resolve) => {
      systemClock.schedule(10, () => {
        seen.push('deadline');
        resolve();
      });
    });
    peer.write('answer');
    const untilMs = systemClock.now().monotonicMs + 60;
    while (systemClock.now().monotonicMs < untilMs);
    await over;
    expect(seen).toEqual(['answer', 'deadline']);
    client.destroy();
    peer.destroy();
    server.close();
  });

  it('can be cancelled until it comes', async () => {
    const seen: string[] = [];
    const late = systemClock.schedule(10, () => seen.push('late'));
    // Due after it, and so run when it has been put off, and before it comes.
    const cancelled = new Promise<void>((resolve) => {
      setNodeTimer(() => {
        late.cancel();
        resolve();
      }, 12);
    });
    const untilMs = systemClock.now().monotonicMs + 60;
    while (systemClock.now().monotonicMs < untilMs);
    await cancelled;
    await microtasksDone();
    await microtasksDone();
    expect(seen).toEqual([]);
  });
});
