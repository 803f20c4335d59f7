import type { Clock, Timer } from './clock.js';
import type { Observation, Observer } from './coordinator-types.js';
import { BufferedIterator } from './event-stream.js';
import type { LeaseStore, LeaseView } from './lease-store.js';
import type { Migration } from './migration.js';
import type { StoreCaller } from './store-caller.js';
import type { Timings } from './timings.js';

/** Reads the observed groups, all with one call per heartbeat interval, and tells the observers what changed. */
export class ObserverHub {
  readonly #store: LeaseStore;
  readonly #caller: StoreCaller;
  readonly #migration: Migration;
  readonly #clock: Clock;
  readonly #timings: Timings;
  readonly #observers = new Set<GroupObserver>();
  #timer: Timer | null = null;
  /** The timer is due at once: wishes that come faster than it can fire must not put it off. */
  #isDueNow = false;
  #isReading = false;
  /** Another look was asked for while one was under way. */
  #isReadWanted = false;

  constructor(store: LeaseStore, caller: StoreCaller, migration: Migration, clock: Clock, timings: Timings) {
    this.#store = store;
    this.#caller = caller;
    this.#migration = migration;
    this.#clock = clock;
    this.#timings = timings;
  }

  observe(groupId: string): Observer {
    const observer = new GroupObserver(groupId, () => {
      this.#observers.delete(observer);
      if (this.#observers.size === 0) this.#schedule(null);
    });
    this.#observers.add(observer);
    this.readSoon();
    return observer;
  }

  /** Reads now, unless nobody observes. */
  readSoon(): void {
    if (this.#observers.size > 0 && !this.#isDueNow) this.#schedule(0);
  }

  close(): void {
    for (const observer of [...this.#observers]) observer.close();
  }

  #schedule(delayMs: number | null): void {
    this.#timer?.cancel();
    this.#isDueNow = delayMs === 0;
    this.#timer = delayMs === null ? null : this.#clock.schedule(delayMs, () => void this.#read());
  }

  async #read(): Promise<void> {
    this.#timer = null;
    this.#isDueNow = false;
    if (this.#isReading) {
      this.#isReadWanted = true;
      return;
    }
    this.#isReading = true;
    this.#isReadWanted = false;
    const { callDeadlineMs, heartbeatMs } = this.#timings;
    try {
      await this.#migration.ensure(callDeadlineMs);
      const groupIds = [...new Set([...this.#observers].map((observer) => observer.groupId))];
      const views = await this.#caller.call('read', callDeadlineMs, (signal) => this.#store.read(groupIds, { signal }));
      const byGroup = new Map(views.map((view) => [view.groupId, view]));
      for (const observer of [...this.#observers]) {
        const view = byGroup.get(observer.groupId);
        if (view) observer.see(view);
      }
    } catch {
      // The caller has reported it; the next look is due as ever.
    }
    this.#isReading = false;
    if (this.#observers.size > 0 && this.#timer === null) this.#schedule(this.#isReadWanted ? 0 : heartbeatMs);
  }
}

class GroupObserver implements Observer {
  readonly groupId: string;
  current: Observation | undefined;
  readonly #iterators = new Set<BufferedIterator<Observation>>();
  readonly #onClose: () => void;
  #isClosed = false;

  constructor(groupId: string, onClose: () => void) {
    this.groupId = groupId;
    this.#onClose = onClose;
  }

  see(view: LeaseView): void {
    const { holder } = view;
    const before = this.current;
    if (before && before.term === view.term && before.leader?.sessionId === holder?.sessionId) return;
    const leader = holder && { memberId: holder.memberId, sessionId: holder.sessionId, term: holder.term };
    this.current = { groupId: this.groupId, leader, term: view.term };
    for (const iterator of this.#iterators) iterator.push(this.current);
  }

  [Symbol.asyncIterator](): AsyncIterator<Observation> {
    const iterator = new BufferedIterator<Observation>(() => {
      this.#iterators.delete(iterator);
      if (this.#iterators.size === 0) this.close();
    });
    if (this.current) iterator.push(this.current);
    if (this.#isClosed) iterator.end();
    else this.#iterators.add(iterator);
    return iterator;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const iterator of this.#iterators) iterator.end();
    this.#iterators.clear();
    this.#onClose();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
