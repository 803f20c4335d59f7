import { groupDeadlineMs, groupTransition } from './group-machine.js';
import { sessionTransition } from './session-machine.js';
import { hasPassed } from './trust.js';

/** The pure parts that the shell drives. The simulation plants faults in them. */
export interface Machines {
  readonly session: typeof sessionTransition;
  readonly group: typeof groupTransition;
  readonly groupDeadlineMs: typeof groupDeadlineMs;
  readonly hasPassed: typeof hasPassed;
}

/** The real ones. */
export const machines: Machines = Object.freeze({ session: sessionTransition, group: groupTransition, groupDeadlineMs, hasPassed });
