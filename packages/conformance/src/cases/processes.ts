import { LONG_TTL_MS } from '../case-context.js';
import { until, wallMs } from '../clock.js';
import { equal } from '../conformance-failure.js';
import { needsProcesses, type ConformanceCase } from '../conformance-case.js';

/** What only clients in several processes can show. */
export const processCases: readonly ConformanceCase[] = [
  {
    id: 'F20.2',
    title: 'eight processes migrate an empty database at one instant',
    skip: needsProcesses,
    run: async (context) => {
      const remotes = await context.openRemote(8, { isMigrated: false });
      const startAtMs = wallMs() + 50;
      await Promise.all(remotes.map((remote) => remote.call('migrate', [], startAtMs)));
      const [first, second] = remotes;
      await first!.call('openSession', [{ sessionId: 's', memberId: 'm', ttlMs: LONG_TTL_MS }]);
      const [granted] = await second!.call('claim', ['s', ['group']]);
      equal('a claim afterwards', granted, { kind: 'granted', groupId: 'group', term: 1, fresh: true });
    },
  },
  {
    id: 'S2.4',
    title: "a killed process's session ends by itself, and its group goes to another process in the next term",
    skip: needsProcesses,
    run: async (context) => {
      const [leader, standby] = await context.openRemote(2);
      const ttlMs = 1_500;
      await leader!.call('openSession', [{ sessionId: 'leader', memberId: 'm', ttlMs }]);
      await standby!.call('openSession', [{ sessionId: 'standby', memberId: 'm', ttlMs: LONG_TTL_MS }]);
      await leader!.call('claim', ['leader', ['group']]);
      await leader!.call('heartbeat', [{ sessionId: 'leader', holders: [] }]);
      await leader!.kill();
      const term = await until(async () => {
        const [result] = await standby!.call('claim', ['standby', ['group']]);
        return result?.kind === 'granted' ? result.term : undefined;
      }, 5 * ttlMs);
      equal('the term of the takeover', term, 2);
      equal('the heartbeat of the dead session', await standby!.call('heartbeat', [{ sessionId: 'leader', holders: [] }]), {
        alive: false,
      });
    },
  },
];
