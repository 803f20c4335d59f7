import { describe, expect, it } from 'vitest';
import { resolveTimings } from '@wb/core';
import { resolveKillAfterMs } from './kill-after.js';

describe('the time between SIGTERM and SIGKILL', () => {
  it('T2: is by default as long as two lost calls allow, at most 10 s', () => {
    expect(resolveKillAfterMs(undefined, resolveTimings({ ttlMs: 10_000 }))).toBe(1_834);
    expect(resolveKillAfterMs(undefined, resolveTimings({ ttlMs: 60_000, heartbeatMs: 1_000 }))).toBe(10_000);
  });

  it('is refused when two lost calls would already stop COMMAND', () => {
    expect(resolveKillAfterMs(1_834, resolveTimings({ ttlMs: 10_000 }))).toBe(1_834);
    expect(() => resolveKillAfterMs(1_835, resolveTimings({ ttlMs: 10_000 }))).toThrow('--kill-after (1.835 s) must be at most 1.834 s');
  });
});
