import { seededRandom } from './random.js';

/** What can be planned: a kind of fault, and how long it lasts, in TTLs. */
export interface PlannableFault {
  readonly kind: string;
  readonly lastsTtls: readonly [number, number];
}

/** A fault to come. */
export interface PlannedFault<F extends PlannableFault> {
  readonly fault: F;
  /** When, in ms after the round's beginning; in a round of single faults only the order counts. */
  readonly atMs: number;
  readonly forMs: number;
  /** Whom it is meant for, from 0 on; the next one, if that one suffers already. */
  readonly member: number;
  /** Whether it is rather meant for one who leads, if anybody does: the next one from `member` on. */
  readonly aimsAtLeader: boolean;
  /** Whatever else the fault has to decide, from 0 to below 1. */
  readonly dice: number;
}

/** Faults one at a time, each with its recovery; or many at once, and then a recovery. */
export interface Round<F extends PlannableFault> {
  readonly mode: 'single' | 'storm';
  readonly faults: readonly PlannedFault<F>[];
}

/** How long a storm lasts, in TTLs. */
const STORM_TTLS = 6;
/** How far apart two faults of a storm are on average, in TTLs. */
const STORM_GAP_TTLS = 0.3;
const SINGLES = 4;
/** How many of the faults aim at leaders: what befalls the others is seldom noticed. */
const LEADER_SHARE = 0.6;

/** Which faults come, in which order and for how long: by the seed alone, whatever happens in the run. Every kind comes once before one comes again. */
export class NemesisPlan<F extends PlannableFault> {
  readonly #random: () => number;
  readonly #faults: readonly F[];
  readonly #memberCount: number;
  readonly #ttlMs: number;
  #bag: F[] = [];
  #roundCount = 0;

  constructor(seed: number, faults: readonly F[], memberCount: number, ttlMs: number) {
    this.#random = seededRandom(seed);
    this.#faults = faults;
    this.#memberCount = memberCount;
    this.#ttlMs = ttlMs;
  }

  next(): Round<F> {
    this.#roundCount += 1;
    if (this.#roundCount % 2 === 1) return { mode: 'single', faults: Array.from({ length: SINGLES }, () => this.#plan(0)) };
    const faults: PlannedFault<F>[] = [];
    for (let atMs = 0; atMs < STORM_TTLS * this.#ttlMs; atMs += this.#random() * 2 * STORM_GAP_TTLS * this.#ttlMs)
      faults.push(this.#plan(atMs));
    return { mode: 'storm', faults };
  }

  #plan(atMs: number): PlannedFault<F> {
    const random = this.#random;
    if (this.#bag.length === 0) this.#bag = [...this.#faults];
    const [fault] = this.#bag.splice(Math.floor(random() * this.#bag.length), 1) as [F];
    const [least, most] = fault.lastsTtls;
    return {
      fault,
      atMs,
      forMs: (least + random() * (most - least)) * this.#ttlMs,
      member: Math.floor(random() * this.#memberCount),
      aimsAtLeader: random() < LEADER_SHARE,
      dice: random(),
    };
  }
}
