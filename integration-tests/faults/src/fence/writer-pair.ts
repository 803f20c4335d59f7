import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../machine-time.js';
import type { TargetServer } from '../target.js';
import type { Outcome } from './writer-messages.js';
import { WriterProcess, type Transaction } from './writer-process.js';

const TTL_MS = 1_000;
const HEARTBEAT_MS = 200;
const PAUSE_MS = 30;
/** How long after its last heartbeat a session is over, whatever was on its way, in ms. */
const EXPIRED_MS = 1.5 * TTL_MS;
/** What is waited for comes within this, in ms, or the test has failed. */
const PATIENCE_MS = 30_000;

/** Where a leader is frozen: when it has looked at its lease, before its transaction begins; or in the middle of that, when the store has let it in. */
export type FreezePoint = 'before' | 'inside';

/** What came of one freeze. */
export interface Freeze {
  readonly point: FreezePoint;
  /** What the frozen one was told. */
  readonly outcome: Outcome;
  /** Writes of its term that came in after a later term had written. */
  readonly staleCount: number;
  /** How long it took until another had written, in ms; `null`: nobody could, before the thaw. */
  readonly takeoverMs: number | null;
}

export interface WriterPairOptions {
  readonly server: TargetServer;
  readonly target: string;
  readonly group: string;
  readonly isFenced: boolean;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** Two writers of one group; where there are several servers, on different ones. */
export class WriterPair {
  readonly #options: WriterPairOptions;
  readonly #writers: readonly [WriterProcess, WriterProcess];
  #onNews: (error: Error | null) => void = () => undefined;

  constructor(options: WriterPairOptions) {
    this.#options = options;
    const { server, target, group, isFenced } = options;
    const start = (member: string, node: string): WriterProcess =>
      new WriterProcess(
        {
          member,
          target,
          url: server.url(server.endpoints(node)),
          group,
          ttlMs: TTL_MS,
          heartbeatMs: HEARTBEAT_MS,
          pauseMs: PAUSE_MS,
          isFenced,
        },
        (error) => this.#onNews(error),
      );
    this.#writers = [start(`${group}-a`, 'node-1'), start(`${group}-b`, 'node-2')];
  }

  /** Freezes the leader at a random point, and thaws it when the other has written, or has long had the time to. */
  async freeze(): Promise<Freeze> {
    const { server, random, isFenced } = this.#options;
    const hasOneLock = server.isBlockedByFrozen !== undefined;
    for (;;) {
      // Without a fence there is no lock between the two, where there is one for all.
      const wanted: FreezePoint = random() < 0.4 || (hasOneLock && !isFenced) ? 'before' : 'inside';
      const isThere = ({ last }: WriterProcess): boolean =>
        last !== null && last.outcome === null && (wanted === 'before' || last.isInside);
      await this.#until(() => this.#writers.some(isThere), `a transaction is ${wanted}`);
      const leader = this.#writers.find(isThere)!;
      const other = this.#writers.find((writer) => writer !== leader)!;
      await sleep(random() * (wanted === 'before' ? PAUSE_MS : 2 * PAUSE_MS));
      leader.freeze();
      const frozenAtMs = nowMs();
      const frozen = leader.last!;
      const { term } = frozen;
      const isSucceeded = (): boolean => other.last !== null && other.last.term > term && other.last.outcome === 'committed';
      const isBlocked = (await server.isBlockedByFrozen?.()) ?? false;
      // What the frozen one had said before arrives before what the other says.
      if (isBlocked) await sleep(EXPIRED_MS);
      else await this.#until(isSucceeded, `another writes after term ${term}`);
      if (isBlocked && isSucceeded()) throw new Error(`${this.#options.group}: another has written past a lock`);
      const takeoverMs = isBlocked ? null : nowMs() - frozenAtMs;
      const point: FreezePoint = frozen.isInside ? 'inside' : 'before';
      const isOpen = frozen.outcome === null;
      const countBefore = await this.#countUpTo(term);
      leader.thaw();
      await this.#until(() => frozen.outcome !== null, 'the transaction of the frozen one ends');
      // Whoever was told nothing may have been committed later.
      if (frozen.outcome === 'failed') await sleep(HEARTBEAT_MS);
      const staleCount = isBlocked ? await this.#staleCount() : (await this.#countUpTo(term)) - countBefore;
      // One that had just committed is as good as none, unless it did harm. Behind a lock it may commit: nobody has come in between.
      if ((isOpen && (isBlocked ? point === 'inside' : !isCommitted(frozen))) || staleCount > 0)
        return { point, outcome: frozen.outcome!, staleCount, takeoverMs };
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.kill()));
  }

  /** Resolves when `test` holds, which is asked again at each news. */
  async #until(test: () => boolean, what: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.#options.group}: not within ${PATIENCE_MS} ms: ${what}`)), PATIENCE_MS);
      this.#onNews = (error) => {
        if (error === null && !test()) return;
        clearTimeout(timer);
        this.#onNews = () => undefined;
        if (error === null) resolve();
        else reject(error);
      };
      this.#onNews(null);
    });
  }

  async #countUpTo(term: number): Promise<number> {
    const rows = await this.#options.server.readLedger();
    return rows.filter((row) => row.group === this.#options.group && row.term <= term).length;
  }

  /** Rows that stand behind those of a later term. */
  async #staleCount(): Promise<number> {
    let lastTerm = 0;
    let count = 0;
    for (const { group, term } of await this.#options.server.readLedger()) {
      if (group !== this.#options.group) continue;
      if (term < lastTerm) count += 1;
      lastTerm = Math.max(lastTerm, term);
    }
    return count;
  }
}

function isCommitted({ outcome }: Transaction): boolean {
  return outcome === 'committed';
}
