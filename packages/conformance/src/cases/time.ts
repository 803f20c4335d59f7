import { withWrongDate, nowMs, pass } from '../clock.js';
import { aboveZero, between, equal, holds } from '../conformance-failure.js';
import type { ConformanceCase } from '../conformance-case.js';

const HOUR_MS = 3_600_000;

/** T1: the store's clock decides. */
export const timeCases: readonly ConformanceCase[] = [
  {
    id: 'T1.1',
    title: "clients whose clocks are hours off see the same store: no client's time enters a statement",
    run: async (context) => {
      const right = await context.open();
      const groupId = context.name('group');
      for (const byMs of [5 * HOUR_MS, -5 * HOUR_MS]) {
        await withWrongDate(byMs, async () => {
          const wrong = await context.open({ isMigrated: false });
          const sessionId = await context.session(wrong, { ttlMs: 5_000 });
          await wrong.heartbeat({ sessionId, holders: [] });
          const seen = [...(await wrong.members()), ...(await right.members())].filter((member) => member.sessionId === sessionId);
          equal('how often the session is seen, by the client itself and by another', seen.length, 2);
          for (const { remainingMs, ageMs } of seen) {
            aboveZero('its remainingMs', remainingMs, 5_000);
            between('its ageMs', ageMs, 0, 5_000);
          }
          await context.grant(wrong, sessionId, groupId);
          const rival = await context.claim(right, await context.session(right), groupId);
          equal('the claim of a client with the right clock', rival.kind === 'refused' && rival.reason, 'held');
          await wrong.closeSession(sessionId);
        });
        const heir = await context.session(right, { ttlMs: 5_000 });
        await context.grant(right, heir, groupId);
        await withWrongDate(byMs, async () => {
          const wrong = await context.open({ isMigrated: false });
          const thief = await context.session(wrong);
          const result = await context.claim(wrong, thief, groupId);
          equal('the claim of a client with a wrong clock', result.kind === 'refused' && result.reason, 'held');
          equal('the heartbeat of a live session, sent by it', (await wrong.heartbeat({ sessionId: heir, holders: [] })).alive, true);
        });
        equal('the heartbeat of the holder', (await right.heartbeat({ sessionId: heir, holders: [] })).alive, true);
        await right.closeSession(heir);
      }
    },
  },
  {
    id: 'T1.2',
    title: 'clients in different time zones see the same store (F6)',
    run: async (context) => {
      const zone = process.env['TZ'];
      const groupId = context.name('group');
      const seen: number[] = [];
      try {
        process.env['TZ'] = 'Pacific/Kiritimati';
        const east = await context.open();
        const holder = await context.session(east, { ttlMs: 5_000 });
        await context.grant(east, holder, groupId);
        process.env['TZ'] = 'Pacific/Pago_Pago';
        const west = await context.open({ isMigrated: false });
        const rival = await context.claim(west, await context.session(west), groupId);
        holds('the claim from 25 hours west', rival.kind === 'refused' && rival.reason === 'held', 'refused as held', rival);
        seen.push(rival.holder.remainingMs);
        for (const client of [east, west]) {
          equal('a heartbeat from either', (await client.heartbeat({ sessionId: holder, holders: [] })).alive, true);
          seen.push((await client.read([groupId]))[0]!.holder!.remainingMs);
        }
      } finally {
        if (zone === undefined) delete process.env['TZ'];
        else process.env['TZ'] = zone;
      }
      for (const remainingMs of seen) aboveZero('remainingMs', remainingMs, 5_000);
    },
  },
  {
    id: 'T1.3',
    title: 'remainingMs goes down as time goes by, within the declared precision',
    run: async (context) => {
      const store = await context.open();
      const { precisionMs } = store.capabilities;
      const sessionId = await context.session(store, { ttlMs: 10_000 });
      const look = async (): Promise<{ readonly earliestMs: number; readonly latestMs: number }> => {
        const askedAtMs = nowMs();
        const { remainingMs } = (await store.members()).find((member) => member.sessionId === sessionId)!;
        // The store's clock was read somewhere between the question and the answer: the expiry on the local clock lies between these.
        return { earliestMs: askedAtMs + remainingMs - precisionMs, latestMs: nowMs() + remainingMs + precisionMs };
      };
      const first = await look();
      for (let i = 0; i < 40; i += 1) {
        await pass(10);
        const { earliestMs, latestMs } = await look();
        const drift = 5;
        holds('the expiry as told', earliestMs <= first.latestMs + drift && latestMs >= first.earliestMs - drift, 'the same at each look', {
          first,
          now: { earliestMs, latestMs },
        });
      }
    },
  },
  {
    id: 'T1.4',
    title: 'a session ends when its remainingMs has gone by: not before, and soon after',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      for (const ttlMs of [40, 90, 160]) {
        const askedAtMs = nowMs();
        const sessionId = await context.session(store!, { ttlMs });
        const openedAtMs = nowMs();
        for (;;) {
          const sentAtMs = nowMs();
          const isLive = (await other!.members()).some((member) => member.sessionId === sessionId);
          const precisionMs = store!.capabilities.precisionMs + 1;
          if (!isLive) {
            holds(
              `the end of a session of ${ttlMs} ms`,
              nowMs() >= askedAtMs + ttlMs - precisionMs,
              'not before its TTL is over',
              nowMs() - askedAtMs,
            );
            break;
          }
          holds(
            `a session of ${ttlMs} ms`,
            sentAtMs <= openedAtMs + ttlMs + precisionMs,
            'ended when its TTL is over',
            sentAtMs - openedAtMs,
          );
        }
      }
    },
  },
];
