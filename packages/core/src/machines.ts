import { groupDeadlineMs, groupTransition } from './group-machine.js';
import { sessionTransition } from './session-machine.js';
import { remainingMs } from './trust.js';

/** The pure parts that the shell drives. The simulation plants faults in them. */
export interface Machines {
  readonly session: typeof sessionTransition;
  readonly group: typeof groupTransition;
  readonly groupDeadlineMs: typeof groupDeadlineMs;
  /** How long a session is still trusted. */
  readonly remainingTrustMs: typeof remainingMs;
}

/** The real ones. */
export const machines: Machines = Object.freeze({
  session: sessionTransition,
  group: groupTransition,
  groupDeadlineMs,
  remainingTrustMs: remainingMs,
});
