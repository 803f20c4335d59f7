import { describe, expect, it } from 'vitest';
import { CoordinatorRig, TTL_MS } from '../test-support/coordinator-rig.js';
import { optionErrorOf } from '../test-support/option-error.js';
import { createCoordinator } from './coordinator.js';
import type { CoordinatorOptions, LeadOptions } from './coordinator-types.js';
import type { LeaseStore } from './lease-store.js';
import { memoryLeaseStore } from './memory/index.js';

/** A store that must not be touched. */
function untouchable(): { readonly store: LeaseStore; readonly touched: string[] } {
  const touched: string[] = [];
  const store = new Proxy(memoryLeaseStore(), {
    get: (target, key, receiver) => {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof value !== 'function') return value;
      return (): never => {
        touched.push(String(key));
        throw new Error(`${String(key)} was called`);
      };
    },
  });
  return { store, touched };
}

describe('the options of createCoordinator', () => {
  it.each<[string, Partial<CoordinatorOptions>, string, string]>([
    [
      'F12: a heartbeat longer than a third of the TTL',
      { ttlMs: 10_000, heartbeatMs: 9_000 },
      'heartbeatMs',
      '`heartbeatMs` (9000) must be at most a third of `ttlMs` (10000)',
    ],
    ['F12: a heartbeat of 0', { heartbeatMs: 0 }, 'heartbeatMs', '`heartbeatMs` (0) must be a finite number of milliseconds from 1'],
    ['F12: a negative heartbeat', { heartbeatMs: -5 }, 'heartbeatMs', '`heartbeatMs` (-5)'],
    ['F12: a heartbeat that is no number', { heartbeatMs: Number.NaN }, 'heartbeatMs', '`heartbeatMs` (NaN)'],
    ['F12: an infinite TTL', { ttlMs: Number.POSITIVE_INFINITY }, 'ttlMs', '`ttlMs` (Infinity)'],
    ['F12: a TTL that is a string', { ttlMs: '6000' as unknown as number }, 'ttlMs', '`ttlMs` ("6000")'],
    [
      'T2: a call deadline that two lost calls would not survive',
      { ttlMs: 1_000, callDeadlineMs: 500 },
      'callDeadlineMs',
      'two calls may be lost in a row',
    ],
    ['F7: an empty memberId', { memberId: '' }, 'memberId', '`memberId` ("") has 0 characters; it must have 1 to 255'],
    ['F7: an over-long memberId', { memberId: 'x'.repeat(256) }, 'memberId', 'has 256 characters'],
    ['F7: a memberId that is no string', { memberId: 7 as unknown as string }, 'memberId', '`memberId` (number) must be a string'],
    ['metadata that are no strings', { metadata: { port: 80 as unknown as string } }, 'metadata', 'must be a record of strings'],
    ['metadata that are too large', { metadata: { note: 'x'.repeat(5_000) } }, 'metadata', 'takes 5011 bytes as JSON; it may take 4096'],
    ['a `migrate` that is no boolean', { migrate: 'yes' as unknown as boolean }, 'migrate', '`migrate` (yes) must be a boolean'],
  ])('%s is refused before the store is touched', (_, wrong, field, message) => {
    const { store, touched } = untouchable();
    const error = optionErrorOf(() => createCoordinator({ store, memberId: 'a', ...wrong }));
    expect(error.field).toBe(field);
    expect(error.message).toContain(message);
    expect(error.isRetryable).toBe(false);
    expect(touched).toEqual([]);
    // Nor is one made.
    let madeCount = 0;
    const make = (): LeaseStore => {
      madeCount += 1;
      return store;
    };
    optionErrorOf(() => createCoordinator({ store: make, memberId: 'a', ...wrong }));
    expect(madeCount).toBe(0);
  });

  it.each([undefined, null, {}, 'postgres://localhost', () => undefined, { heartbeat: () => undefined }])(
    'a store that is none is refused: %s',
    (store) => {
      expect(optionErrorOf(() => createCoordinator({ store: store as unknown as LeaseStore, memberId: 'a' }))).toMatchObject({
        code: 'INVALID_OPTION',
        field: 'store',
      });
    },
  );

  it('making a coordinator touches nothing: not the store, no timer', async () => {
    const rig = new CoordinatorRig();
    const node = rig.start('a');
    await rig.runFor(10 * TTL_MS);
    expect(node.calls).toEqual([]);
    expect(node.timers.setCount).toBe(0);
    expect(node.coordinator.memberId).toBe('a');
  });

  it('a name of 255 characters is kept as it is, case, accents and blanks included', async () => {
    const rig = new CoordinatorRig();
    const memberId = ` Ünïcödé ${'😀'.repeat(245)}A`;
    const groupId = ` Jobs/é/${'x'.repeat(246)} `;
    const node = rig.start(memberId);
    void node.lead(groupId);
    await rig.until('it leads', () => node.isLeading(groupId));
    expect(node.work(groupId).run.context).toMatchObject({ groupId, memberId });
    expect(await rig.settle(node.coordinator.members())).toMatchObject([{ memberId }]);
    expect([...rig.database.leases.keys()]).toEqual([groupId]);
  });
});

describe('the input of lead', () => {
  it.each<[string, string, LeadOptions, string]>([
    ['F7: an empty group', '', {}, 'groupId'],
    ['F7: an over-long group', 'g'.repeat(256), {}, 'groupId'],
    ['F7: a group with a control character', 'a\nb', {}, 'groupId'],
    ['a back-off whose end is before its start', 'jobs', { backOff: { minMs: 500, maxMs: 100 } }, 'backOff.maxMs'],
    ['a watchdog of 0', 'jobs', { watchdogMs: 0 }, 'watchdogMs'],
    ['an unknown meaning of the end', 'jobs', { onEnd: 'again' as unknown as 'stop' }, 'onEnd'],
  ])('%s is refused before the store is touched', async (_, groupId, options, field) => {
    const rig = new CoordinatorRig();
    const node = rig.start('a');
    await expect(node.coordinator.lead(groupId, () => undefined, options)).rejects.toMatchObject({ name: 'WbOptionError', field });
    await rig.runFor(TTL_MS);
    expect(node.calls).toEqual([]);
    expect(node.coordinator.status().groups).toEqual([]);
  });

  it('work that is no function is refused', async () => {
    const rig = new CoordinatorRig();
    const { coordinator, calls } = rig.start('a');
    await expect(coordinator.lead('jobs', 'work' as unknown as () => void)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      field: 'work',
    });
    expect(calls).toEqual([]);
  });

  it('F7: a bad name of a group to observe is refused', () => {
    const { coordinator, timers } = new CoordinatorRig().start('a');
    expect(optionErrorOf(() => coordinator.observe('a\u0000b'))).toMatchObject({ code: 'INVALID_NAME', field: 'groupId' });
    expect(timers.setCount).toBe(0);
  });
});
