/**
 * A member in a process of its own, over an SQLite file: `node member.js '<MemberStart as JSON>'`. Tells its parent what happens, and does what it is asked.
 *
 * @module
 */
import { createCoordinator } from '@wb/core';
import { sqliteLeaseStore } from '@wb/sqlite';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MemberCommand, MemberMessage, MemberStart } from '../member-messages.js';

const { filename, memberId, ttlMs, heartbeatMs, counterFile } = JSON.parse(process.argv[2]!) as MemberStart;

const coordinator = createCoordinator({ store: () => sqliteLeaseStore({ filename }), memberId, ttlMs, heartbeatMs });
coordinator.on('group', ({ from, to, reason, term }) => tell({ kind: 'group', from, to, reason, term }));

void coordinator.lead(
  'group',
  async ({ term, signal, lease }) => {
    tell({ kind: 'leads', term, sessionId: lease.sessionId });
    if (counterFile !== null) {
      // Read, wait, write: only a single leader at a time counts right.
      const count = Number(readFileSync(counterFile, 'utf8'));
      await sleep(1 + Math.random() * 2);
      writeFileSync(counterFile, String(count + 1));
      return;
    }
    while (!signal.aborted) {
      const isHeld = lease.isHeld();
      if (isHeld) tell({ kind: 'works', term });
      await sleep(10, undefined, { signal }).catch(() => undefined);
    }
    tell({ kind: 'stopped', term, reason: String(Reflect.get(signal.reason as object, 'reason')) });
  },
  { onEnd: 'contend', backOff: { minMs: 1, maxMs: 5 } },
);

process.on('message', (command: MemberCommand) => {
  if (command === 'close') void coordinator.close().then(() => process.disconnect());
});

function tell(message: MemberMessage): void {
  process.send?.(message);
}
