import type { Clock } from './clock.js';
import type { Lease } from './coordinator-types.js';
import { LeaseNotHeldError, WbOptionError } from './errors.js';
import type { HeldLease } from './group-machine.js';
import type { HeartbeatOutcome } from './session-shell.js';

/** What a lease in the user's hands asks. */
export interface LeaseHandleParts {
  readonly clock: Clock;
  /** The longest that a lease can be ensured for, in ms. */
  readonly maxEnsureMs: number;
  /** How long the lease is still trusted, in ms; 0 when it is over. */
  remainingMs(): number;
  nextHeartbeat(): Promise<HeartbeatOutcome>;
}

/** The lease as the work holds it. It keeps no state: every answer is read from the clocks and the machines at that moment (T4). */
export function leaseHandle(groupId: string, { term, sessionId }: HeldLease, parts: LeaseHandleParts): Lease {
  const { clock, maxEnsureMs } = parts;
  const remainingMs = (): number => parts.remainingMs();
  const isHeld = (): boolean => remainingMs() > 0;
  const notHeld = (what: string): LeaseNotHeldError =>
    new LeaseNotHeldError(groupId, term, `group ${JSON.stringify(groupId)} is not held in term ${term}${what}`);
  return {
    groupId,
    term,
    sessionId,
    isHeld,
    remainingMs,
    assertHeld: () => {
      if (!isHeld()) throw notHeld('');
    },
    ensure: async (ms: number) => {
      if (!Number.isFinite(ms) || ms <= 0 || ms > maxEnsureMs) {
        throw new WbOptionError(
          'INVALID_OPTION',
          'ms',
          `\`ms\` (${ms}) must be above 0 and at most \`ttlMs − safetyMarginMs\` (${maxEnsureMs})`,
        );
      }
      const askedAtMs = clock.now().monotonicMs;
      while (isHeld() && remainingMs() < ms) {
        const outcome = await parts.nextHeartbeat();
        // One that was sent after the question brings as much trust as there is to be had.
        if (!outcome.isAlive || outcome.sentAt.monotonicMs >= askedAtMs) break;
      }
      if (!isHeld() || remainingMs() < ms) throw notHeld(` for another ${ms} ms`);
    },
  };
}
