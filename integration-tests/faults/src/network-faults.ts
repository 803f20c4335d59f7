import { setTimeout as sleep } from 'node:timers/promises';
import type { Link, LinkCondition } from './link.js';
import type { MemberFault } from './member-fault.js';

/** What befalls a member's way to the database. */
export const networkFaults: readonly MemberFault[] = [
  bad('cut', [0.2, 1.5], true, { kind: 'cut' }),
  bad('black hole', [0.2, 1.5], true, { kind: 'hole', toServer: true, toMember: true, isKept: false }),
  bad('black hole, late delivery', [0.2, 1.5], false, { kind: 'hole', toServer: true, toMember: true, isKept: true }),
  bad('requests lost', [0.2, 1.5], true, { kind: 'hole', toServer: true, toMember: false, isKept: false }),
  bad('requests late', [0.2, 1.5], false, { kind: 'hole', toServer: true, toMember: false, isKept: true }),
  bad('replies lost', [0.2, 1.5], false, { kind: 'hole', toServer: false, toMember: true, isKept: false }),
  bad('replies late', [0.2, 1.5], false, { kind: 'hole', toServer: false, toMember: true, isKept: true }),
  // Requests go on arriving, and extend a session that its member has given up.
  bad('reset instead of the reply', [0.05, 1], false, { kind: 'lost replies' }),
  bad('slow', [0.5, 2], false, { kind: 'delay', toServerMs: 60, toMemberMs: 60 }),
  bad('dripping', [0.5, 2], false, { kind: 'drip', bytes: 40, everyMs: 15 }),
  {
    // Trust that is counted from the reply outlasts the session by as much as the reply was late, less the margin.
    kind: 'replies slow, then killed',
    lastsTtls: [0, 0.5],
    sparesOthers: true,
    inject: async ({ process, members, dice }) => {
      const links = members.links(process.start.member);
      const toMemberMs = members.callDeadlineMs * (0.55 + 0.3 * dice);
      for (const link of links) link.become({ kind: 'delay', toServerMs: 0, toMemberMs });
      // Until a heartbeat has gone this way, and its answer come.
      await sleep(members.callDeadlineMs * 2);
      await process.kill();
      for (const link of links) link.heal();
      return () => members.start(process.start.member).untilLive();
    },
  },
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
