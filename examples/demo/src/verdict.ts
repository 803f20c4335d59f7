import { milliseconds, type Check } from './check.js';
import { MEMBER_IDS } from './settings.js';
import type { Takeover } from './takeover-log.js';

/** What the play has brought to light, apart from the ledger. */
export interface PlayResult {
  readonly takeovers: readonly Takeover[];
  /** How long after its thawing the old leader had stopped, in ms, and why it did. */
  readonly thawed: { readonly noticedAfterMs: number; readonly reason: string };
  /** What became of the order that it settled on purpose in its old term. */
  readonly lateWrite: string;
  /** How each member ended when it was asked to leave. */
  readonly ends: ReadonlyMap<string, string>;
}

/** What each blow is called in a sentence. */
export const BLOWS = { SIGKILL: 'SIGKILL', SIGSTOP: 'SIGSTOP', resign: 'the request to resign' } as const;

/** Checks what was seen from the outside. */
export function judgePlay({ takeovers, thawed, lateWrite, ends }: PlayResult, tookMs: number, limitMs: number): readonly Check[] {
  const bad = [...ends].filter(([, how]) => how !== 'exit code 0');
  return [
    ...(['SIGKILL', 'SIGSTOP', 'resign'] as const).map((cause): Check => {
      const takeover = takeovers.find(({ blow }) => blow.cause === cause);
      return {
        title: `takeover after ${BLOWS[cause]}`,
        isTrue: takeover !== undefined && takeover.tookMs <= takeover.blow.limitMs,
        found: takeover ? `${milliseconds(takeover.tookMs)}, at most ${milliseconds(takeover.blow.limitMs)}` : 'none',
      };
    }),
    {
      title: 'the thawed leader stopped by itself',
      isTrue: thawed.reason === 'lost-trust' || thawed.reason === 'expired',
      found: `${thawed.reason}, ${milliseconds(thawed.noticedAfterMs)} after SIGCONT`,
    },
    { title: 'its late write was refused', isTrue: lateWrite === 'refused', found: lateWrite },
    {
      title: 'every member left in peace',
      isTrue: bad.length === 0 && ends.size === MEMBER_IDS.length,
      found: bad.length === 0 ? `${ends.size} members, exit code 0` : bad.map((end) => end.join(': ')).join(', '),
    },
    { title: 'all this in under a minute', isTrue: tookMs < limitMs, found: `${(tookMs / 1_000).toFixed(1)} s` },
  ];
}
