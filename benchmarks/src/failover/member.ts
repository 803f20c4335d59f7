/**
 * A member in a process of its own: `node member.js '<MemberStart as JSON>'`.
 *
 * @module
 */
import { createCoordinator } from '@wb/core';
import { openStore } from '../databases/open-store.js';
import { HandWritten } from './hand-written.js';
import { machineMs, type MemberCommand, type MemberMessage, type MemberStart } from './messages.js';

const GROUP = 'group';
/** How often it looks whether it stands by, in ms. */
const LOOK_MS = 10;

const start = JSON.parse(process.argv[2]!) as MemberStart;
const member = start.kind === 'wb' ? leadByCoordinator(start) : new HandWritten(start, tell);

process.on('message', (command: MemberCommand) => {
  if (command.kind === 'resign') void member.resign();
  else void member.close().then(() => process.exit(0));
});

function leadByCoordinator({ url, namespace, memberId, ttlMs, heartbeatMs }: MemberStart): Pick<HandWritten, 'resign' | 'close'> {
  const coordinator = createCoordinator({ store: () => openStore(url, namespace, 4), memberId, ttlMs, heartbeatMs });
  // Not an event of the machine: after a hint it stands by without having claimed.
  let stoodBy = false;
  setInterval(() => {
    const group = coordinator.status().groups[0];
    const standsBy = group?.state === 'standby' && group.leader !== null && group.leader.memberId !== memberId;
    if (standsBy && !stoodBy) tell({ kind: 'stands-by' });
    stoodBy = standsBy;
  }, LOOK_MS);
  void coordinator.lead(
    GROUP,
    async ({ signal }) => {
      tell({ kind: 'leads', atMs: machineMs() });
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      tell({ kind: 'stopped', atMs: machineMs() });
    },
    { onEnd: 'contend' },
  );
  return {
    resign: async () => void (await coordinator.resign(GROUP)),
    close: () => coordinator.close(),
  };
}

function tell(message: MemberMessage): void {
  process.send?.(message);
}
