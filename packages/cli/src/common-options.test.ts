import { resolveTimings } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { givenTimings } from './common-options.js';
import { parseConfig } from './config-file.js';

const FILE = parseConfig('taskId = "a"\ngroupId = "g"\nheartbeatFrequency = 1\nlivenessCheckInterval = 6\n', 'Config.toml', {});

describe('the timings of a command', () => {
  it('are those of the file, each unless the command line has its own; the call deadline follows from what comes out', () => {
    expect(givenTimings({}, FILE)).toEqual(resolveTimings({ ttlMs: 6_000, heartbeatMs: 1_000 }));
    expect(givenTimings({ ttl: 30_000 }, FILE)).toEqual(resolveTimings({ ttlMs: 30_000, heartbeatMs: 1_000 }));
    expect(givenTimings({ heartbeat: 500 }, FILE)).toEqual(resolveTimings({ ttlMs: 6_000, heartbeatMs: 500 }));
    expect(() => givenTimings({ ttl: 2_000 }, FILE)).toThrow('`heartbeatMs` (1000) must be at most a third of `ttlMs` (2000)');
  });

  it('are the defaults without a file', () => {
    expect(givenTimings({}, null)).toEqual(resolveTimings({}));
    expect(givenTimings({ ttl: 30_000 }, null)).toEqual(resolveTimings({ ttlMs: 30_000 }));
  });
});
