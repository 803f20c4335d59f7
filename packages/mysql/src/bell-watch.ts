import { StoreError, type Clock, type LeaseHint } from '@wb/core';
import { changeHints, GROUPS_LOOKED_UP, SessionChanges } from '@wb/sql';
import type { DedicatedConnection } from './dedicated-connection.js';
import { BELL_WAIT_SECONDS, type HintSql } from './hint-sql.js';

/** How often the watcher that has the bell looks, in ms. While changes come one after the other it looks less and less often: every look that finds one wakes all watchers. */
const LOOK_MS = 20;
const LONGEST_LOOK_MS = 320;
/** After how long without a change it looks often again, in ms. */
const CALM_MS = 1_000;
/** How long the server may take for an answer, waiting aside, in ms. */
const ANSWER_LIMIT_MS = 5_000;

/** Watches for changes on one connection, by the rules of `hint-sql.ts`. */
export class BellWatch {
  readonly #connection: DedicatedConnection;
  readonly #sql: HintSql;
  readonly #clock: Clock;
  readonly #onHint: (hint: LeaseHint) => void;
  readonly #changes = new SessionChanges();
  #seen = 0;
  #lookMs = LOOK_MS;
  #changedAtMs = -Infinity;

  constructor(connection: DedicatedConnection, sql: HintSql, clock: Clock, onHint: (hint: LeaseHint) => void) {
    this.#connection = connection;
    this.#sql = sql;
    this.#clock = clock;
    this.#onHint = onHint;
  }

  /** What changes after this has resolved is hinted at. */
  async begin(): Promise<void> {
    const { settings, takeMark, mark, sessionStates } = this.#sql;
    const [, , , , , marks, states] = await this.#connection.ask([...settings, takeMark, mark, sessionStates], ANSWER_LIMIT_MS);
    this.#seen = marks[0]!.mark;
    this.#changes.since(states);
  }

  /** Goes on until it fails, and the connection with it. */
  async run(): Promise<never> {
    const { awaitBell, takeMark, passIfChanged, mark } = this.#sql;
    for (;;) {
      const askedAtMs = this.#clock.now().monotonicMs;
      const [[bell], , , [now]] = await this.#connection.ask(
        [awaitBell, takeMark, passIfChanged({ seen: this.#seen }), mark],
        BELL_WAIT_SECONDS * 1_000 + ANSWER_LIMIT_MS,
      );
      if (now!.mark !== this.#seen) await this.#tell(now!.mark);
      else if (bell!.got === 1) await this.#tell(await this.#untilChanged());
      // Who does not wait, and has nothing, would ask again and again.
      else if (this.#clock.now().monotonicMs - askedAtMs < BELL_WAIT_SECONDS * 500) throw noBell('cannot be waited for');
    }
  }

  /** Has the bell, and looks. */
  async #untilChanged(): Promise<number> {
    for (;;) {
      await this.#connection.pause(this.#lookMs);
      const [, [now]] = await this.#connection.ask([this.#sql.takeMark, this.#sql.mark], ANSWER_LIMIT_MS);
      if (now!.mark !== this.#seen) return now!.mark;
      if (now!.hasBell !== 1) throw noBell('is not kept');
      if (this.#clock.now().monotonicMs - this.#changedAtMs >= CALM_MS) this.#lookMs = LOOK_MS;
    }
  }

  /** Lets the others look, then tells what has changed. */
  async #tell(seen: number): Promise<void> {
    const nowMs = this.#clock.now().monotonicMs;
    this.#lookMs = nowMs - this.#changedAtMs < CALM_MS ? Math.min(this.#lookMs * 2, LONGEST_LOOK_MS) : LOOK_MS;
    this.#changedAtMs = nowMs;
    const [, states] = await this.#connection.ask([this.#sql.leaveBell, this.#sql.sessionStates], ANSWER_LIMIT_MS);
    // The states are at least as new: what changed in between makes one more look, and no second hint.
    this.#seen = seen;
    const changed = this.#changes.since(states);
    if (changed.length === 0) return;
    const sessionIds = JSON.stringify(changed);
    const limit = GROUPS_LOOKED_UP;
    const { leaveBell, changedGroups, resignGroups } = this.#sql;
    const [, groups, asked] = await this.#connection.ask(
      [leaveBell, changedGroups({ sessionIds, limit }), resignGroups({ sessionIds, limit })],
      ANSWER_LIMIT_MS,
    );
    for (const hint of changeHints(groups, asked)) this.#onHint(hint);
  }
}

function noBell(what: string): StoreError {
  return new StoreError(
    'STORE_FAULT',
    `\`watch\` found a named lock of the server that ${what}: there are no hints here, only heartbeats`,
    {
      outcome: 'none',
    },
  );
}
