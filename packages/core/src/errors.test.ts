import { describe, expect, it, vi } from 'vitest';
import { CoordinatorRig } from '../test-support/coordinator-rig.js';
import { LeaseNotHeldError, StoreError, WbError, WbOptionError } from './errors.js';
import { LeadershipEndedError } from './reasons.js';

describe('instanceof', () => {
  it('holds for a class and those above it, and for no other', () => {
    const option = new WbOptionError('INVALID_OPTION', 'ttlMs', 'no');
    expect(option instanceof WbOptionError).toBe(true);
    expect(option instanceof WbError).toBe(true);
    expect(option instanceof Error).toBe(true);
    expect(option instanceof StoreError).toBe(false);
    expect(new WbError('LEASE_NOT_HELD', 'no') instanceof LeaseNotHeldError).toBe(false);
    expect(new LeadershipEndedError('jobs', 1, 'expired') instanceof WbError).toBe(true);
  });

  it('holds across two copies of the package', async () => {
    vi.resetModules();
    const other = await import('./errors.js');
    expect(other.StoreError).not.toBe(StoreError);
    const theirs = new other.StoreError('STORE_BUSY', 'busy');
    expect(theirs instanceof StoreError).toBe(true);
    expect(theirs instanceof WbError).toBe(true);
    expect(theirs instanceof WbOptionError).toBe(false);
    expect(new StoreError('STORE_BUSY', 'busy') instanceof other.WbError).toBe(true);
    expect(new LeaseNotHeldError('jobs', 1, 'no') instanceof other.LeaseNotHeldError).toBe(true);
  });

  it.each([null, undefined, 'STORE_BUSY', 7, new Error('plain'), { code: 'STORE_BUSY', name: 'StoreError' }, new TypeError('x')])(
    'does not hold for %s',
    (value) => {
      expect(value instanceof StoreError).toBe(false);
      expect(value instanceof WbError).toBe(false);
    },
  );

  it('holds for a subclass of one’s own', () => {
    class MyStoreError extends StoreError {}
    const mine = new MyStoreError('STORE_FAULT', 'mine');
    expect(mine instanceof MyStoreError).toBe(true);
    expect(mine instanceof StoreError).toBe(true);
    expect(new StoreError('STORE_FAULT', 'theirs') instanceof MyStoreError).toBe(false);
    expect(mine.name).toBe('MyStoreError');
  });
});

describe('an error', () => {
  it('has a name, a code, a message, and whether to try again: by default not', () => {
    const error = new WbError('COORDINATOR_CLOSED', 'it is closed');
    expect(error).toMatchObject({ name: 'WbError', code: 'COORDINATOR_CLOSED', message: 'it is closed', isRetryable: false });
    expect(error.stack).toContain('it is closed');
    expect('cause' in error).toBe(false);
    expect(new WbError('STORE_BUSY', 'busy', { isRetryable: true }).isRetryable).toBe(true);
  });

  it('keeps its cause, also one that is nothing', () => {
    const cause = new Error('below');
    expect(new StoreError('STORE_FAULT', 'above', { cause }).cause).toBe(cause);
    expect('cause' in new StoreError('STORE_FAULT', 'above', { cause: undefined })).toBe(true);
  });

  it('T5: of a store has an unknown outcome unless it is told otherwise', () => {
    expect(new StoreError('STORE_TIMEOUT', 'late').outcome).toBe('unknown');
    expect(new StoreError('STORE_CLOSED', 'closed', { outcome: 'none' }).outcome).toBe('none');
  });

  it('names the field of an option, and the group and term of a lease', () => {
    expect(new WbOptionError('INVALID_NAME', 'memberId', 'no')).toMatchObject({
      field: 'memberId',
      code: 'INVALID_NAME',
      name: 'WbOptionError',
    });
    expect(new LeaseNotHeldError('jobs', 3, 'no')).toMatchObject({
      groupId: 'jobs',
      term: 3,
      code: 'LEASE_NOT_HELD',
      name: 'LeaseNotHeldError',
    });
    expect(new LeadershipEndedError('jo"bs', 3, 'hung')).toMatchObject({
      name: 'LeadershipEndedError',
      code: 'LEADERSHIP_ENDED',
      groupId: 'jo"bs',
      term: 3,
      reason: 'hung',
      message: 'leadership of group "jo\\"bs" in term 3 ended: hung',
    });
  });

  it('shows nothing but its message, name, code and facts when it is logged as JSON', () => {
    expect(JSON.parse(JSON.stringify(new StoreError('STORE_BUSY', 'busy', { isRetryable: true })))).toEqual({
      name: 'StoreError',
      code: 'STORE_BUSY',
      isRetryable: true,
      outcome: 'unknown',
      reason: 'lock-wait',
    });
  });
});

describe('a secret', () => {
  it('that was given where a store belongs is not repeated in the message', async () => {
    const { createCoordinator } = await import('./coordinator.js');
    const secret = 'postgres://app:hunter2@db/app';
    expect(() => createCoordinator({ store: secret as unknown as () => never, memberId: 'a' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
  });

  it('among the metadata is in no event and no error of the coordinator', async () => {
    const rig = new CoordinatorRig();
    const node = rig.start('a', { metadata: { token: 'hunter2' } });
    void node.lead('jobs');
    await rig.until('it leads', () => node.isLeading('jobs'));
    node.cutOff();
    await rig.runFor(3_000);
    expect(node.events.filter((event) => event.kind === 'store-fault').length).toBeGreaterThan(2);
    const shown = node.events.map((event) => JSON.stringify(event) + ('error' in event ? String(event.error) : ''));
    expect(shown.join('\n')).not.toContain('hunter2');
  });
});
