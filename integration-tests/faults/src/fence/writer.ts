/**
 * A writer of the fence test: `node writer.js '<WriterStart as JSON>'`. Contends for its group, and writes in one transaction after the other while it leads.
 *
 * @module
 */
import { createCoordinator, FencedError, type FenceLease, type WorkContext } from '@wb/core';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadTarget } from '../targets/index.js';
import type { Outcome, WriterNews, WriterStart } from './writer-messages.js';

const start = JSON.parse(process.argv[2]!) as WriterStart;
const { group, ttlMs, heartbeatMs, pauseMs, isFenced } = start;
const database = (await loadTarget(start.target)).open(start.url);
const coordinator = createCoordinator({ store: () => database.store, memberId: start.member, ttlMs, heartbeatMs });
void coordinator.lead(group, work, { onEnd: 'contend', onError: 'contend', backOff: { minMs: heartbeatMs / 4, maxMs: heartbeatMs } });
process.on('disconnect', () => process.exit(0));

async function work({ groupId, term, signal, lease }: WorkContext): Promise<void> {
  const { sessionId } = lease;
  for (let count = 0; lease.isHeld(); count += 1) {
    const id = randomUUID();
    tell({ kind: 'begins', term, id });
    await sleep(pauseMs);
    // Every other one has all the time in the world, and no local clock that could refuse it: the database alone must.
    const isPatient = count % 2 === 0;
    const bare: FenceLease = { groupId, term, sessionId };
    const outcome = await write(id, isPatient ? bare : lease, isPatient ? 3_600_000 : ttlMs / 2);
    tell({ kind: 'ended', term, id, outcome });
    if (outcome === 'refused' && signal.aborted) return;
  }
}

async function write(id: string, lease: FenceLease, maxHoldMs: number): Promise<Outcome> {
  const { term, sessionId: session } = lease;
  try {
    await database.write(
      { id, group, term, session },
      { lease: isFenced ? lease : null, maxHoldMs, pauseMs: [pauseMs, pauseMs], onInside: () => tell({ kind: 'inside', id }) },
    );
    return 'committed';
  } catch (error) {
    return error instanceof FencedError ? 'refused' : 'failed';
  }
}

function tell(news: WriterNews): void {
  if (process.connected) process.send!(news);
}
