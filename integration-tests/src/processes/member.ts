/**
 * A member in a process of its own, over the database of a conformance target: `node member.js '<MemberStart as JSON>'`. Tells its parent what happens, and does what it is asked.
 *
 * @module
 */
import type { ConformanceTarget } from '@wb/conformance';
import { createCoordinator, type WorkContext } from '@wb/core';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MemberCommand, MemberMessage, MemberStart } from '../member-messages.js';

const { module, namespace, memberId, ttlMs, heartbeatMs, work, isHeldBack } = JSON.parse(process.argv[2]!) as MemberStart;

const { default: target } = (await import(module)) as { readonly default: ConformanceTarget };
const store = await target.open(namespace);
const coordinator = createCoordinator({ store: () => store, memberId, ttlMs, heartbeatMs });
coordinator.on('group', ({ from, to, reason, term }) => tell({ kind: 'group', from, to, reason, term }));
coordinator.on('store-fault', ({ operation }) => {
  if (operation === 'claim') tell({ kind: 'claim-unanswered' });
});
coordinator.on('session', ({ to }) => {
  if (to === 'lost') tell({ kind: 'claim-unanswered' });
});

process.on('message', (command: MemberCommand) => {
  switch (command.kind) {
    case 'begin':
      // Every process looks at the same clock, so that they begin within microseconds of each other.
      while (Date.now() < command.atMs);
      return begin();
    case 'close':
      return void coordinator.close().then(() => process.disconnect());
  }
});
if (isHeldBack) tell({ kind: 'ready' });
else begin();

function begin(): void {
  void coordinator.lead('group', lead, {
    onEnd: 'contend',
    backOff: { minMs: 1, maxMs: 5 },
    ...(work.kind === 'hangs' ? { watchdogMs: work.watchdogMs, settleDeadlineMs: work.watchdogMs, onOverrun: 'exit' } : {}),
  });
}

async function lead(context: WorkContext): Promise<void> {
  const { term, lease } = context;
  tell({ kind: 'leads', term, sessionId: lease.sessionId });
  switch (work.kind) {
    case 'lasts':
      return await last(context);
    case 'counts':
      return await count(work.file, term);
    case 'throws':
      throw new Error('the work failed');
    case 'hangs':
      return await new Promise(() => undefined);
  }
}

async function last({ term, signal, lease }: WorkContext): Promise<void> {
  while (!signal.aborted) {
    const isHeld = lease.isHeld();
    if (isHeld) tell({ kind: 'works', term });
    await sleep(10, undefined, { signal }).catch(() => undefined);
  }
  tell({ kind: 'stopped', term, reason: String(Reflect.get(signal.reason as object, 'reason')) });
}

/** Reads, waits and writes: only a single leader at a time counts right. */
async function count(file: string, term: number): Promise<void> {
  const mark = `${file}.mark`;
  try {
    closeSync(openSync(mark, 'wx'));
  } catch {
    tell({ kind: 'overlaps', term });
  }
  const before = Number(readFileSync(file, 'utf8'));
  await sleep(1 + Math.random() * 2);
  writeFileSync(file, String(before + 1));
  rmSync(mark, { force: true });
}

function tell(message: MemberMessage): void {
  process.send?.(message);
}
