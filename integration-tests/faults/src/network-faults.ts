import type { Link, LinkCondition } from './link.js';
import type { MemberFault } from './member-fault.js';

/** What befalls a member's way to the database. */
export const networkFaults: readonly MemberFault[] = [
  bad('cut', [0.2, 1.5], true, { kind: 'cut' }),
  bad('black hole', [0.2, 1.5], true, { kind: 'hole', toServer: true, toMember: true, isKept: false }),
  bad('black hole, late delivery', [0.2, 1.5], false, { kind: 'hole', toServer: true, toMember: true, isKept: true }),
  bad('requests lost', [0.2, 1.5], true, { kind: 'hole', toServer: true, toMember: false, isKept: false }),
  bad('requests late', [0.2, 1.5], false, { kind: 'hole', toServer: true, toMember: false, isKept: true }),
  bad('replies late', [0.2, 1.5], false, { kind: 'hole', toServer: false, toMember: true, isKept: true }),
  // Requests go on arriving, and extend a session that its member has given up.
  bad('reset instead of the reply', [0.05, 1], false, { kind: 'lost replies' }),
  bad('slow', [0.5, 2], false, { kind: 'delay', byMs: 60 }),
  bad('dripping', [0.5, 2], false, { kind: 'drip', bytes: 40, everyMs: 15 }),
  {
    kind: 'half-open: the server is gone',
    lastsTtls: [0, 0],
    sparesOthers: false,
    inject: ({ process, members }) => {
      for (const link of members.links(process.start.member)) link.loseServerEnds();
      return Promise.resolve(() => undefined);
    },
  },
  {
    kind: 'half-open: the member is gone',
    lastsTtls: [0.5, 1.5],
    sparesOthers: false,
    inject: ({ process, members }) => {
      const ends = members.links(process.start.member).map((link) => link.loseMemberEnds());
      return Promise.resolve(() => {
        for (const end of ends) end();
      });
    },
  },
];

function bad(kind: string, lastsTtls: readonly [number, number], sparesOthers: boolean, condition: LinkCondition): MemberFault {
  const all = (links: readonly Link[], become: LinkCondition): void => {
    for (const link of links) link.become(become);
  };
  return {
    kind,
    lastsTtls,
    sparesOthers,
    inject: ({ process, members }) => {
      const links = members.links(process.start.member);
      all(links, condition);
      return Promise.resolve(() => all(links, { kind: 'good' }));
    },
  };
}
