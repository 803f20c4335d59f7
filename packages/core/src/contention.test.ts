import { describe, expect, it } from 'vitest';
import { Contention, type ContentionHost } from './contention.js';
import type { Lease, Work, WorkContext } from './coordinator-types.js';
import type { GroupState } from './group-machine.js';
import { resolveLeadOptions } from './lead-options.js';
import { LeadershipEndedError } from './reasons.js';
import { resolveTimings } from './timings.js';

const OPTIONS = resolveLeadOptions({}, resolveTimings({}));

class Host implements ContentionHost {
  readonly memberId = 'a';
  readonly log: string[] = [];
  isTrusted = true;
  readonly lease: Lease = {
    groupId: 'jobs',
    term: 7,
    sessionId: 's1',
    isHeld: () => this.isTrusted,
    remainingMs: () => (this.isTrusted ? 100 : 0),
    assertHeld: () => undefined,
    ensure: () => Promise.resolve(),
  };

  handle(): Lease {
    return this.lease;
  }

  isHeld(): boolean {
    return this.isTrusted;
  }

  onBeat(): void {
    this.log.push('beat');
  }

  onLapsed(): void {
    this.log.push('lapsed');
  }

  onSettled(_: Contention, __: string, error: unknown, failed: boolean): void {
    this.log.push(`settled ${failed ? `failed ${String(error)}` : 'well'}`);
  }
}

function contention(work: Work<unknown>, host: Host = new Host()): Contention {
  return new Contention(host, 'jobs', work, OPTIONS, 's1');
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

describe('a run of the work', () => {
  it('begins in a microtask of its own, with the context of its lease', async () => {
    let context: WorkContext | undefined;
    const host = new Host();
    const led = contention((given) => {
      context = given;
      return new Promise(() => undefined);
    }, host);
    led.start({ sessionId: 's1', term: 7 });
    expect(context).toBeUndefined();
    expect(led.runCount).toBe(0);
    await settled();
    expect(context).toMatchObject({ groupId: 'jobs', term: 7, memberId: 'a', lease: host.lease });
    expect(context!.signal.aborted).toBe(false);
    expect(led.runCount).toBe(1);
    expect(host.log).toEqual([]);
  });

  it('F15, T10: does not begin when the lease is over by then, and counts as none', async () => {
    let workCount = 0;
    const host = new Host();
    const led = contention(() => {
      workCount += 1;
    }, host);
    led.start({ sessionId: 's1', term: 7 });
    host.isTrusted = false;
    await settled();
    expect(workCount).toBe(0);
    expect(led.runCount).toBe(0);
    expect(host.log).toEqual(['lapsed', 'settled well']);
  });

  it('F15: does not begin when it was told to stop by then', async () => {
    let workCount = 0;
    const host = new Host();
    const led = contention(() => {
      workCount += 1;
    }, host);
    led.start({ sessionId: 's1', term: 7 });
    led.abort('stopped');
    await settled();
    expect(workCount).toBe(0);
    expect(led.runCount).toBe(0);
    expect(host.log.at(-1)).toBe('settled well');
  });

  it('F4: reports its end, whatever it is', async () => {
    const ends: [Work<unknown>, string][] = [
      [() => 'value', 'settled well'],
      [() => Promise.resolve('value'), 'settled well'],
      [() => Promise.reject(new Error('no')), 'settled failed Error: no'],
      [
        () => {
          throw new Error('at once');
        },
        'settled failed Error: at once',
      ],
      [() => Promise.reject(undefined), 'settled failed undefined'],
    ];
    for (const [work, end] of ends) {
      const host = new Host();
      contention(work, host).start({ sessionId: 's1', term: 7 });
      await settled();
      expect(host.log).toEqual([end]);
    }
  });

  it('T4: hears why its leadership ended, and beats only while it runs', async () => {
    let context: WorkContext | undefined;
    const host = new Host();
    const led = contention(
      (given) =>
        new Promise<void>((resolve) => {
          context = given;
          given.signal.addEventListener('abort', () => resolve());
        }),
      host,
    );
    led.start({ sessionId: 's1', term: 7 });
    await settled();
    context!.beat();
    led.abort('hung');
    expect(context!.signal.reason).toBeInstanceOf(LeadershipEndedError);
    expect(context!.signal.reason).toMatchObject({ groupId: 'jobs', term: 7, reason: 'hung' });
    await settled();
    context!.beat();
    expect(host.log).toEqual(['beat', 'settled well']);
    // Nobody is left to tell.
    expect(() => led.abort('closed')).not.toThrow();
  });
});

describe('the context of the work', () => {
  async function begun(): Promise<{ context: WorkContext; host: Host; led: Contention }> {
    let context: WorkContext | undefined;
    const host = new Host();
    const led = contention((given) => {
      context = given;
      return new Promise(() => undefined);
    }, host);
    led.start({ sessionId: 's1', term: 7 });
    await settled();
    return { context: context!, host, led };
  }

  it('can be taken apart, copied and listed as a plain object can', async () => {
    const { context, host, led } = await begun();
    expect(Object.keys(context).toSorted()).toEqual(['beat', 'groupId', 'lease', 'memberId', 'signal', 'term']);
    const { beat, ...others } = { ...context };
    beat();
    expect(host.log).toEqual(['beat']);
    expect(others).toMatchObject({ groupId: 'jobs', term: 7, memberId: 'a', lease: host.lease });
    led.abort('resigned');
    expect(others.signal.aborted).toBe(true);
  });

  it('has one signal and one lease, however often they are read', async () => {
    const { context } = await begun();
    expect(context.signal).toBe(context.signal);
    expect(context.lease).toBe(context.lease);
  });

  it('T4: a signal that is first read after the end is aborted, with the reason, and stays so', async () => {
    const { context, led } = await begun();
    led.abort('hung');
    led.abort('closed');
    expect(context.signal.aborted).toBe(true);
    expect(context.signal.reason).toMatchObject({ groupId: 'jobs', term: 7, reason: 'hung' });
  });
});

describe('the promise of lead', () => {
  async function ended(work: Work<unknown>, reason: Parameters<Contention['finish']>[0]): Promise<unknown> {
    const led = contention(work);
    led.start({ sessionId: 's1', term: 7 });
    await settled();
    led.finish(reason);
    await new Promise<void>((resolve) => led.onFinished(resolve));
    return await led.result.catch((error: unknown) => ({ error }));
  }

  it('resolves with the value and the term when the work ended', async () => {
    expect(await ended(() => 42, 'work-ended')).toEqual({ reason: 'work-ended', term: 7, value: 42 });
    expect(await ended(() => undefined, 'work-ended')).toEqual({ reason: 'work-ended', term: 7, value: undefined });
  });

  it('rejects with what the work threw when that is to follow, nothing at all included', async () => {
    const error = new Error('no');
    expect(await ended(() => Promise.reject(error), 'work-failed')).toEqual({ error });
    expect(await ended(() => Promise.reject(undefined), 'work-failed')).toEqual({ error: undefined });
  });

  it('resolves with why the contention ended otherwise, whatever the work did', async () => {
    expect(await ended(() => 42, 'stopped')).toEqual({ reason: 'stopped' });
    expect(await ended(() => Promise.reject(new Error('no')), 'closed')).toEqual({ reason: 'closed' });
  });
});

describe('the own lease', () => {
  const lease = { sessionId: 's1', term: 7 };
  const base = { reason: 'resigned', sessionId: 's1', failureCount: 0 } as const;
  const yielding = { ...base, kind: 'yielding', lease, overrunAtMs: null, after: { kind: 'standby', pauseMs: 0 } } as const;
  it.each<[string, GroupState, boolean]>([
    ['there is none on standby', { ...base, kind: 'standby', holderId: null, notBeforeMs: 0 }, false],
    ['nor while claiming', { ...base, kind: 'claiming', stopReason: null }, false],
    ['it is trusted while leading', { ...base, kind: 'leading', lease, startedAtMs: 0, beatAtMs: 0 }, true],
    ['and while the work settles (T7)', { ...yielding, phase: 'settling' }, true],
    ['not when the store has said that it is gone', { ...yielding, reason: 'lost-lease', phase: 'settling' }, false],
    ['not once a release may have been sent', { ...yielding, phase: 'releasing' }, false],
    ['nor at the end', { ...base, kind: 'closed' }, false],
  ])('%s', (_, state, isTrusted) => {
    const led = contention(() => undefined);
    led.state = state;
    expect(led.lease).toEqual(isTrusted ? lease : null);
  });
});
