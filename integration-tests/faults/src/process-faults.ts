import type { MemberFault } from './member-fault.js';

const NOTHING = (): void => undefined;

/** What befalls processes. */
export const processFaults: readonly MemberFault[] = [
  {
    kind: 'killed',
    lastsTtls: [0, 1],
    sparesOthers: true,
    inject: async ({ process, members }) => {
      await process.kill();
      // The same memberId: another incarnation (F10).
      return () => members.start(process.start.member).untilLive();
    },
  },
  frozen('frozen within the TTL', [0.1, 0.9]),
  // Around the TTL: the expiry, the takeover and the thaw come close together.
  frozen('frozen around the TTL', [0.9, 1.2]),
  frozen('frozen beyond the TTL', [1.2, 2]),
  {
    kind: 'event loop blocked',
    lastsTtls: [0.3, 1.5],
    sparesOthers: true,
    inject: ({ process, forMs }) => {
      process.send({ kind: 'block', forMs });
      return Promise.resolve(NOTHING);
    },
  },
  {
    kind: 'closed',
    lastsTtls: [0, 0.5],
    sparesOthers: true,
    isForLeaders: true,
    inject: async ({ process, members }) => {
      await members.close(process);
      return () => members.start(process.start.member).untilLive();
    },
  },
  {
    // All that it leads: as many hand-overs at once.
    kind: 'resigns',
    lastsTtls: [0, 0],
    sparesOthers: true,
    isForLeaders: true,
    inject: ({ process, members }) => {
      // Which jobs it leads its history does not say; of those that it does not, it has nothing to resign.
      for (const group of [...members.ledBy(process), ...members.jobGroups]) process.send({ kind: 'resign', group });
      return Promise.resolve(NOTHING);
    },
  },
  {
    kind: 'two under one memberId',
    lastsTtls: [0.5, 2],
    sparesOthers: true,
    inject: async ({ process, members, dice }) => {
      const twin = members.start(process.start.member);
      await twin.untilLive();
      return () => (dice < 0.5 ? twin.kill() : members.close(twin));
    },
  },
];

function frozen(kind: string, lastsTtls: readonly [number, number]): MemberFault {
  return {
    kind,
    lastsTtls,
    sparesOthers: true,
    inject: async ({ process, members }) => {
      await process.freezeOutside(() => members.isBlockedByFrozen());
      return () => process.thaw();
    },
  };
}
