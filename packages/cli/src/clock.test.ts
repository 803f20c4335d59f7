import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { pauseUnless } from './clock.js';

const timerCount = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

describe('a pause', () => {
  it('that is broken off leaves no timer behind, which would keep the process alive, and no listener', async () => {
    const before = timerCount();
    const stop = new AbortController();
    const paused = pauseUnless(stop.signal, 60_000);
    expect([timerCount(), getEventListeners(stop.signal, 'abort').length]).toEqual([before + 1, 1]);
    stop.abort();
    await paused;
    await pauseUnless(stop.signal, 60_000);
    expect(timerCount()).toBe(before);
  });

  it('that ends by itself leaves no listener behind', async () => {
    const stop = new AbortController();
    await pauseUnless(stop.signal, 1);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });
});
