import { describe, expect, it } from 'vitest';
import { holdMsLeft } from './fence.js';
import { runWithinHold } from './run-within-hold.js';
import type { Clock } from './clock.js';

/** A clock of two hands that are set one by one, whose timers never ring: as after a machine has slept. */
class SetClock implements Clock {
  monotonicMs = 0;
  wallMs = 0;

  now(): { readonly monotonicMs: number; readonly wallMs: number } {
    return { monotonicMs: this.monotonicMs, wallMs: this.wallMs };
  }

  schedule(): { cancel(): void } {
    return { cancel: () => undefined };
  }
}

describe('the work of a fenced transaction', () => {
  it.each(['monotonicMs', 'wallMs'] as const)('T3: is late when %s alone says so', async (hand) => {
    const clock = new SetClock();
    const within = (takesMs: number): Promise<string> =>
      runWithinHold(
        () => {
          clock[hand] += takesMs;
          return 'done';
        },
        { clock, holdMs: 100, signals: [] },
      );
    expect(await within(99)).toBe('done');
    await expect(within(100)).rejects.toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'none' });
  });

  it('may last as long as its lease is held, after a wait too, and not begin when that is over', () => {
    const lease = { groupId: 'g', term: 1, sessionId: 's' };
    expect(holdMsLeft(lease, 500)).toBe(500);
    expect(holdMsLeft({ ...lease, remainingMs: () => 1_000 }, 500)).toBe(500);
    expect(holdMsLeft({ ...lease, remainingMs: () => 300.9 }, 500)).toBe(300);
    expect(holdMsLeft({ ...lease, remainingMs: () => 0.5 }, 500)).toBeLessThan(1);
  });
});
