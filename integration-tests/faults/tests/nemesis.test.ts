import { describe, expect, it } from 'vitest';
import type { MemberProcess } from '../src/member-process.js';
import type { Members } from '../src/members.js';
import { Nemesis, type AnyFault } from '../src/nemesis.js';
import type { PlannedFault } from '../src/nemesis-plan.js';

const HEALS = (): Promise<() => Promise<void>> => Promise.resolve(() => Promise.resolve());

function serverFault(kind: string, inject: () => Promise<() => Promise<void>> = HEALS): PlannedFault<AnyFault> {
  return planned({ of: 'server', kind, lastsTtls: [0, 0], inject });
}

function planned(fault: AnyFault, more: Partial<PlannedFault<AnyFault>> = {}): PlannedFault<AnyFault> {
  return { fault, atMs: 0, forMs: 0, member: 0, aimsAtLeader: false, dice: 0, ...more };
}

/** Members that live, one of which may lead. */
function membersOf(names: readonly string[], leader: string | null = null): Members {
  const processes = names.map((member) => ({ start: { member } }) as MemberProcess);
  return {
    names,
    poll: () => undefined,
    alive: () => processes,
    ledBy: ({ start }: MemberProcess) => (start.member === leader ? ['group'] : []),
  } as unknown as Members;
}

describe('the nemesis', () => {
  it('notes what it injects, and when the others can go on', async () => {
    const nemesis = new Nemesis(membersOf([]), () => undefined);
    await nemesis.strikeOnce(serverFault('server paused'));
    expect(nemesis.failure).toBeNull();
    expect(nemesis.faults).toMatchObject([{ kind: 'server paused', member: null, movesClock: false }]);
    const [{ fromMs, untilMs, settledAtMs }] = nemesis.faults as [(typeof nemesis.faults)[number]];
    expect(untilMs).toBeGreaterThanOrEqual(fromMs);
    expect(settledAtMs).toBe(untilMs);
  });

  it('a fault that has not ended has no end', async () => {
    const nemesis = new Nemesis(membersOf([]), () => undefined);
    let heal = (): void => undefined;
    const healed = new Promise<void>((resolve) => {
      heal = resolve;
    });
    const strike = nemesis.strikeOnce(serverFault('server paused', () => Promise.resolve(() => healed)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(nemesis.faults).toMatchObject([{ untilMs: Infinity, settledAtMs: Infinity }]);
    heal();
    await strike;
    expect(nemesis.faults[0]!.untilMs).toBeLessThan(Infinity);
  });

  it.each([
    ['injected', (): Promise<never> => Promise.reject(new Error('no such container'))],
    ['ended', (): Promise<() => Promise<never>> => Promise.resolve(() => Promise.reject(new Error('no such container')))],
  ])('a fault that cannot be %s ends a storm, and rejects nowhere', async (_, inject) => {
    const nemesis = new Nemesis(membersOf([]), () => undefined);
    const later = { ...serverFault('server restarted'), atMs: 30 };
    await nemesis.storm({ mode: 'storm', faults: [serverFault('server killed', inject), later] }, () => false);
    expect(nemesis.failure?.message).toBe('server killed: no such container');
    expect(nemesis.faults).toMatchObject([{ kind: 'server killed', untilMs: Infinity }]);
  });

  it.each([
    [true, 'node-3'],
    [false, 'node-2'],
  ])('aims at a leader (%s)', async (aimsAtLeader, victim) => {
    const nemesis = new Nemesis(membersOf(['node-1', 'node-2', 'node-3'], 'node-3'), () => undefined);
    const fault: AnyFault = {
      of: 'member',
      kind: 'killed',
      lastsTtls: [0, 0],
      sparesOthers: true,
      inject: () => Promise.resolve(() => undefined),
    };
    await nemesis.strikeOnce(planned(fault, { member: 1, aimsAtLeader }));
    await nemesis.strikeOnce(planned({ ...fault, kind: 'resigns', isForLeaders: true }, { member: 1, aimsAtLeader }));
    expect(nemesis.faults).toMatchObject([
      { kind: 'killed', member: victim },
      { kind: 'resigns', member: 'node-3' },
    ]);
  });
});
