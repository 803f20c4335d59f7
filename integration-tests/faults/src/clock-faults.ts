import type { MemberFault } from './member-fault.js';

/** What befalls the wall clock of a member's machine. */
export const clockFaults: readonly MemberFault[] = [
  moved('wall clock +1 h', '+3600'),
  moved('wall clock -1 h', '-3600'),
  moved('wall clock fast', '+0 x1.2'),
  moved('wall clock slow', '+0 x0.8'),
];

function moved(kind: string, offset: string): MemberFault {
  return {
    kind,
    lastsTtls: [0.5, 2],
    sparesOthers: true,
    inject: ({ process, members }) => {
      members.setClock(process.start.member, offset);
      return Promise.resolve(() => members.setClock(process.start.member, '+0'));
    },
  };
}
