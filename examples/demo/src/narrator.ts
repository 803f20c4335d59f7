import type { GroupReason } from '@wb/core';
import { count, milliseconds } from './check.js';
import type { Report } from './fleet.js';
import { countSettlements } from './orders-database.js';
import { ORDER_COUNT } from './settings.js';
import type { Takeover, TakeoverLog } from './takeover-log.js';
import type { Connection, Place } from './targets/target.js';
import type { Timeline } from './timeline.js';
import { BLOWS } from './verdict.js';

/** Why a lease was there for the taking, in a few words. */
const WHY: Partial<Record<GroupReason, string>> = {
  started: 'nobody held it',
  rejoined: 'nobody held it',
  free: 'nobody held it',
  expired: 'the old session expired',
  released: 'it was released',
};

/** Tells on the timeline what the members report. */
export class Narrator {
  readonly #timeline: Timeline;
  readonly #log: TakeoverLog;
  /** Who is known to stand by: a standby that loses a race says so again, and it is no news. */
  readonly #standbys = new Set<string>();

  constructor(timeline: Timeline, log: TakeoverLog) {
    this.#timeline = timeline;
    this.#log = log;
  }

  tell({ memberId, message }: Report): void {
    const say = (sign: string, text: string, remark?: string): void => this.#timeline.member(memberId, sign, text, remark);
    switch (message.kind) {
      case 'stands-by':
        if (!this.#standbys.has(memberId)) say('○', 'stands by');
        this.#standbys.add(memberId);
        return;
      case 'leads': {
        const { term, atMs, reason } = message;
        this.#standbys.delete(memberId);
        return say('●', `leads in term ${term} (${WHY[reason] ?? reason})`, remarkOn(this.#log.led({ memberId, term, atMs })));
      }
      case 'stopped':
        return say('◌', `stops the work of term ${message.term} (${message.reason})`);
      case 'late-write':
        return say('!', `settles order ${count(message.orderId)} in term ${message.term}, on purpose`, RESULTS[message.outcome]);
      case 'drained':
        return say('●', 'has settled the last order');
      case 'store-fault':
        return say('?', `tries again: ${message.text.slice(0, 64)}`);
      default:
        return message satisfies never;
    }
  }

  /** Says every second how many orders are settled. Returns a function that ends it. */
  tellProgress(connection: Connection, place: Place): () => void {
    let before = 0;
    const tell = async (): Promise<void> => {
      const now = await countSettlements(connection, place);
      const more = now === before ? 'nobody leads' : `+${count(now - before)}`;
      this.#timeline.note(`${count(now).padStart(6)} of ${count(ORDER_COUNT)} orders settled, ${more}`);
      before = now;
    };
    // Whoever plays finds out what is wrong with the database.
    const timer = setInterval(() => void tell().catch(() => undefined), 1_000);
    return () => clearInterval(timer);
  }
}

const RESULTS = { refused: 'refused by the fence', settled: 'ACCEPTED', busy: 'busy' } as const;

function remarkOn(takeover: Takeover | null): string {
  return takeover === null ? '' : `${milliseconds(takeover.tookMs)} after ${BLOWS[takeover.blow.cause]}`;
}
