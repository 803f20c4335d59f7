/** `node dist/payments/worker-main.js STORE_FILE SERVICE_URL MEMBER [FREEZE_BEFORE]`: leads the group `payments` when it is its turn, and pays one account after the other. */
import { createCoordinator, FencedError } from '@wb/core';
import { sqliteLeaseStore } from '@wb/sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { pay, type PaymentLease } from './client.js';

const [filename = 'leases.db', serviceUrl = 'http://127.0.0.1:8080', memberId = `worker-${process.pid}`, freezeBefore = '0'] =
  process.argv.slice(2);
const store = sqliteLeaseStore({ filename });
const coordinator = createCoordinator({ store, memberId, ttlMs: 2_000, heartbeatMs: 200 });
let sentCount = 0;

await coordinator.lead('payments', async ({ lease, term, signal }) => {
  console.log(`${memberId} leads in term ${term}`);
  for (let month = 1; !signal.aborted; month += 1) {
    // The next leader begins at the first month, too: what is paid already is not paid again.
    const order = { idempotencyKey: `rent-${month}`, account: `landlord-${month}`, amount: 100 };
    try {
      const payment = await pay(serviceUrl, freezable(lease), order);
      console.log(`${memberId} paid ${payment.account} in term ${payment.term}`);
    } catch (error) {
      if (!(error instanceof FencedError)) throw error;
      console.log(`${memberId} was refused: ${error.message}`);
      return;
    }
    await pause(50);
  }
});

/** For the test: freezes the process at the worst moment, after it was found to hold the lease and before the request is sent. */
function freezable(lease: PaymentLease): PaymentLease {
  return {
    groupId: lease.groupId,
    term: lease.term,
    assertHeld: () => {
      lease.assertHeld();
      if ((sentCount += 1) === Number(freezeBefore)) process.kill(process.pid, 'SIGSTOP');
    },
  };
}
