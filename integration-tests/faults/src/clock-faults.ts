import type { MemberFault } from './member-fault.js';

/** By how much a clock is too fast or too slow. */
export const WRONG_RATE = 0.2;

/** A member's wall clock that runs at a wrong rate. An offset is left behind, as it is without a time service. */
export const clockRateFaults: readonly MemberFault[] = [
  moved('wall clock fast', `+0 x${1 + WRONG_RATE}`, '+0 x1'),
  moved('wall clock slow', `+0 x${1 - WRONG_RATE}`, '+0 x1'),
];

/** What befalls the wall clock of a member's machine. */
export const clockFaults: readonly MemberFault[] = [
  moved('wall clock +1 h', '+3600', '+0'),
  moved('wall clock -1 h', '-3600', '+0'),
  ...clockRateFaults,
];

function moved(kind: string, offset: string, healed: string): MemberFault {
  return {
    kind,
    lastsTtls: [0.5, 2],
    sparesOthers: true,
    inject: ({ process, members }) => {
      members.setClock(process.start.member, offset);
      return Promise.resolve(() => members.setClock(process.start.member, healed));
    },
  };
}
