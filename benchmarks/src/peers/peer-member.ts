/**
 * A process of a peer: `node peer-member.js '<PeerStart as JSON>'`.
 *
 * @module
 */
import { machineMs } from '../failover/messages.js';
import { cpuMs, nowMs } from '../measure/clock.js';
import { loadPeer } from './index.js';
import type { Operation, OperationCost, PeerCommand, PeerMessage, PeerStart } from './messages.js';
import type { PeerClient } from './peer.js';

/** How many groups are asked for at once. */
const AT_ONCE = 20;

const { peer: name, ...place } = JSON.parse(process.argv[2]!) as PeerStart;
const peer = await loadPeer(name);
const client = await peer.open(place);
let resign: (() => Promise<unknown>) | null = null;

process.on('message', (command: PeerCommand) => {
  void obey(command);
});
tell({ kind: 'ready' });

async function obey(command: PeerCommand): Promise<void> {
  switch (command.kind) {
    case 'contend':
      resign = await client.lead('group');
      tell({ kind: 'leads', atMs: machineMs() });
      return;
    case 'resign':
      tell({ kind: 'stopped', atMs: machineMs() });
      await resign?.();
      return;
    case 'hold':
      for (let at = 0; at < command.count; at += AT_ONCE) {
        const some = Array.from({ length: Math.min(AT_ONCE, command.count - at) }, (_group, offset) => client.lead(`held-${at + offset}`));
        await Promise.all(some);
      }
      tell({ kind: 'holds' });
      return;
    case 'operate':
      tell({ kind: 'operated', costs: await operate(client, command.count) });
      return;
    case 'usage':
      tell({ kind: 'usage', callCount: client.callCount(), cpuMs: cpuMs(), atMs: machineMs() });
      return;
    case 'end':
      process.exit(0);
  }
}

/** One call after the other, each of a group of its own, with no pause. */
async function operate(first: PeerClient, count: number): Promise<Readonly<Record<Operation, OperationCost>>> {
  const second = await peer.open({ ...place, memberId: `${place.memberId}-other` });
  // Both count the same calls, and the second those of the first only from now on.
  const groups = Array.from({ length: count }, (_group, at) => `operated-${process.pid}-${at}`);
  await warmUp(first);
  await warmUp(second);
  const each = async (call: (group: string) => Promise<unknown>): Promise<OperationCost> => {
    const samplesMs: number[] = [];
    const [callsBefore, cpuBeforeMs] = [first.callCount(), cpuMs()];
    for (const group of groups) {
      const startedAtMs = nowMs();
      await call(group);
      samplesMs.push(nowMs() - startedAtMs);
    }
    return { samplesMs, cpuMs: cpuMs() - cpuBeforeMs, callCount: first.callCount() - callsBefore };
  };
  const expected = async (isGranted: Promise<boolean>, wanted: boolean): Promise<void> => {
    if ((await isGranted) !== wanted) throw new Error(`${name}: an attempt was ${wanted ? 'refused' : 'granted'}`);
  };
  const acquire = await each((group) => expected(first.acquire(group), true));
  const look = await each((group) => expected(second.acquire(group), false));
  const release = await each((group) => first.release(group));
  await second.close();
  return { acquire, look, release };
}

/** Connects, prepares, makes tables. */
async function warmUp(some: PeerClient): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) {
    const group = `warm-${process.pid}-${turn}`;
    await some.acquire(group);
    await some.release(group);
  }
}

function tell(message: PeerMessage): void {
  process.send?.(message);
}
