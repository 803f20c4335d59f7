import { FencedError } from '@wb/core';
import { setTimeout as pause } from 'node:timers/promises';
import type { Payment } from './ledger.js';

/** What a client says about its lease: the `lease` of the work is one. */
export interface PaymentLease {
  readonly groupId: string;
  readonly term: number;
  assertHeld(): void;
}

/** A payment that a leader asks for. */
export interface PaymentOrder {
  /** The same for each try of one payment, also by the next leader: made of what is paid, never of who pays. */
  readonly idempotencyKey: string;
  readonly account: string;
  readonly amount: number;
}

/** How often an order is sent that gets no answer. */
const MAX_TRIES = 4;
/** Before the second try; doubled before each further one, and shortened at random, so that many clients do not come back all at once. */
const FIRST_PAUSE_MS = 100;
const REQUEST_TIMEOUT_MS = 5_000;

/**
 * Pays, once, as the leader of a group. An order that gets no answer is sent again, after a while: its key makes that harmless.
 *
 * @throws `LeaseNotHeldError` before anything is sent, if the lease is known here to be over; {@link FencedError} if the service has seen a later term: nothing was paid;
 * an `Error` if it answers otherwise, or not at all: then it is not known whether it has paid. The next leader tries again with the same key.
 */
export async function pay(serviceUrl: string, lease: PaymentLease, { idempotencyKey, account, amount }: PaymentOrder): Promise<Payment> {
  for (let tries = 1; ; tries += 1) {
    // Cheap, and not enough: the process may be paused right after it. What is enough is the term in the request.
    lease.assertHeld();
    const response = await fetch(new URL('/payments', serviceUrl), {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        // Headers have letters of Latin-1 alone, and their ends are trimmed; a group's name has any.
        'Fencing-Group': encodeURIComponent(lease.groupId),
        'Fencing-Term': String(lease.term),
        'Idempotency-Key': encodeURIComponent(idempotencyKey),
      },
      body: JSON.stringify({ account, amount }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    }).catch((error: unknown) => {
      if (tries >= MAX_TRIES) throw error;
      return null;
    });
    if (response === null || (response.status >= 500 && tries < MAX_TRIES)) {
      // A connection whose answer nobody reads is not free for the next try.
      await response?.body?.cancel();
      await pause(FIRST_PAUSE_MS * 2 ** (tries - 1) * (0.5 + Math.random() / 2));
      continue;
    }
    if (response.ok) return (await response.json()) as Payment;
    const text = await response.text();
    if (response.status === 412) {
      const highestTerm = response.headers.get('Fencing-Highest-Term');
      throw new FencedError(
        lease.groupId,
        lease.term,
        `the payment ${JSON.stringify(idempotencyKey)} was refused: term ${lease.term} of group ${JSON.stringify(lease.groupId)} is over, the service has seen term ${highestTerm}`,
      );
    }
    throw new Error(`the payment ${JSON.stringify(idempotencyKey)} failed: ${response.status} ${text}`);
  }
}
