import { CoordinatorShell } from '../src/coordinator-shell.js';
import type { WorkContext } from '../src/coordinator-types.js';
import { resolveLeadOptions } from '../src/lead-options.js';
import type { LeaseStore } from '../src/lease-store.js';
import type { Machines } from '../src/machines.js';
import { type Random, type Scheduler, VirtualClock } from '../src/testing/index.js';
import type { Timings } from '../src/timings.js';
import { Violation } from './audit.js';

/** What a piece of work does with its leadership. */
export type Habit = 'steady' | 'ends' | 'throws' | 'hangs' | 'deaf';

/** One run of some work, from its start until it settles. */
export interface Run {
  readonly context: WorkContext;
  readonly habit: Habit;
  readonly startedAtMs: number;
  readonly settle: (how: 'return' | 'throw') => void;
  beatAtMs: number;
  isSettled: boolean;
  /** Since when the lease has not been held although the signal has not aborted. */
  unheldSinceMs: number | null;
}

/** What a node needs from the world around it. */
export interface NodeHost {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly timings: Timings;
  readonly watchdogMs: number;
  /** `true`: faults have stopped, and all work behaves. */
  readonly isCalm: boolean;
  readonly habits: readonly Habit[];
  readonly longestWorkMs: number;
  trace(text: string): void;
  report(violation: Violation): void;
  write(context: WorkContext): void;
}

/** Options of {@link SimNode}. */
export interface SimNodeOptions {
  readonly host: NodeHost;
  readonly memberId: string;
  readonly incarnation: number;
  readonly rate: number;
  readonly machines: Machines;
  readonly connect: (clock: VirtualClock) => LeaseStore;
}

/** One process: real machines and shell, virtual clocks, a bad network, and work of all kinds. */
export class SimNode {
  readonly name: string;
  readonly memberId: string;
  readonly clock: VirtualClock;
  readonly shell: CoordinatorShell;
  readonly runs: Set<Run> = new Set();
  readonly contends: Map<string, AbortController> = new Map();
  isAlive = true;
  isClosing = false;
  /** When it last went on after a pause; what came due meanwhile happens right after. */
  resumedAtMs: number = Number.NEGATIVE_INFINITY;
  /** When its wall clock last ran ahead of its monotonic one: it was set, or the machine slept. */
  wallJumpedAtMs: number = Number.NEGATIVE_INFINITY;

  readonly #host: NodeHost;
  readonly #runCounts = new Map<string, number>();
  readonly #groupChain = new Map<string, string>();
  #sessionChain: string | null = null;
  #isAsleep = false;
  #setBackAtMs = Number.NEGATIVE_INFINITY;
  #awokeAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: SimNodeOptions) {
    const { host } = options;
    this.#host = host;
    this.memberId = options.memberId;
    this.name = `${options.memberId}#${options.incarnation}`;
    this.clock = new VirtualClock(host.scheduler, { rate: options.rate, wallMs: host.random.between(0, 1e9) });
    let sessionCount = 0;
    this.shell = new CoordinatorShell({
      store: options.connect(this.clock),
      memberId: this.memberId,
      metadata: undefined,
      migrate: true,
      timings: host.timings,
      clock: this.clock,
      machines: options.machines,
      random: () => host.random.next(),
      newSessionId: () => {
        sessionCount += 1;
        return `${this.name}/${sessionCount}`;
      },
      exit: (code) => {
        host.trace(`${this.name} exits with code ${code}`);
        this.kill();
      },
    });
    this.#followEvents();
  }

  get isRunning(): boolean {
    return this.isAlive && !this.clock.isPaused;
  }

  lead(groupId: string): void {
    if (!this.isRunning || this.isClosing || this.contends.has(groupId)) return;
    const host = this.#host;
    const { heartbeatMs, ttlMs } = host.timings;
    const abort = new AbortController();
    this.contends.set(groupId, abort);
    this.#groupChain.delete(groupId);
    this.#runCounts.delete(groupId);
    const options = resolveLeadOptions(
      {
        onEnd: 'contend',
        onError: 'contend',
        backOff: { minMs: heartbeatMs / 10, maxMs: heartbeatMs },
        settleDeadlineMs: ttlMs / 2,
        onOverrun: host.random.chance(0.3) ? 'exit' : 'report',
        watchdogMs: host.watchdogMs,
      },
      host.timings,
    );
    this.shell
      .lead(groupId, (context) => this.#work(context), options, abort.signal)
      .then(
        () => {
          this.contends.delete(groupId);
          // When faults have stopped, everyone who lives contends for what it contended for.
          if (host.isCalm) this.lead(groupId);
        },
        (error: unknown) => host.report(new Violation('T11', `lead rejected: ${String(error)}`)),
      );
  }

  pause(isSuspended: boolean): void {
    // A wall clock that is set back hides what a sleeping monotonic clock misses: T3 promises nothing for both within one TTL.
    const mayHide = isSuspended && this.#host.scheduler.nowMs - this.#setBackAtMs < 2 * this.#host.timings.ttlMs;
    this.#isAsleep = isSuspended && !mayHide;
    this.clock.pause(this.#isAsleep);
    if (this.#isAsleep) this.wallJumpedAtMs = Number.POSITIVE_INFINITY;
  }

  resume(): void {
    if (!this.clock.isPaused) return;
    this.clock.resume();
    this.resumedAtMs = this.#host.scheduler.nowMs;
    if (this.#isAsleep) this.#awokeAtMs = this.resumedAtMs;
    this.#isAsleep = false;
    if (this.wallJumpedAtMs === Number.POSITIVE_INFINITY) this.wallJumpedAtMs = this.resumedAtMs;
  }

  /** Sets the wall clock. */
  jump(byMs: number): void {
    const { scheduler, timings } = this.#host;
    // The same the other way round: see `pause`.
    const mayHide = this.#isAsleep || scheduler.nowMs - this.#awokeAtMs < 2 * timings.ttlMs;
    if (byMs < 0 && mayHide) return;
    if (byMs < 0) this.#setBackAtMs = scheduler.nowMs;
    this.clock.jump(byMs);
    this.wallJumpedAtMs = Math.max(this.wallJumpedAtMs, scheduler.nowMs);
  }

  /** The process dies: no timer, answer or promise of it comes any more. */
  kill(): void {
    this.isAlive = false;
    this.clock.kill();
    this.runs.clear();
    this.contends.clear();
  }

  /** How often work was really started for a group since it is contended for (F5). */
  startedCount(groupId: string): number {
    return this.#runCounts.get(groupId) ?? 0;
  }

  #work(context: WorkContext): Promise<void> {
    const host = this.#host;
    const { scheduler, random, timings } = host;
    const { groupId, term, signal, lease } = context;
    this.#runCounts.set(groupId, this.startedCount(groupId) + 1);
    if (!lease.isHeld())
      host.report(new Violation('T10', `${this.name} began work on ${groupId} in term ${term} without holding the lease`));
    for (const other of this.runs) {
      if (other.context.groupId === groupId) host.report(new Violation('T7', `${this.name} runs work on ${groupId} twice at once`));
    }
    const habit: Habit = host.isCalm ? 'steady' : random.pick(host.habits);
    host.trace(`${this.name} works on ${groupId} in term ${term} (${habit})`);
    const stepMs = timings.ttlMs / 8;
    const enoughAtMs = scheduler.nowMs + random.between(0, host.longestWorkMs);
    return new Promise((resolve, reject) => {
      const run: Run = {
        context,
        habit,
        startedAtMs: scheduler.nowMs,
        beatAtMs: this.clock.now().monotonicMs,
        isSettled: false,
        unheldSinceMs: null,
        settle: (how) => {
          if (run.isSettled || !this.isAlive) return;
          run.isSettled = true;
          this.runs.delete(run);
          host.trace(`${this.name} work on ${groupId} in term ${term} settles (${how})`);
          if (how === 'return') resolve();
          else reject(new Error('the work failed'));
        },
      };
      this.runs.add(run);
      signal.addEventListener('abort', () => {
        const patienceMs = host.isCalm
          ? 1
          : habit === 'deaf'
            ? random.between(0, 2 * timings.ttlMs)
            : random.pick([0, random.between(0, timings.ttlMs / 4)]);
        this.clock.schedule(patienceMs, () => run.settle(random.chance(0.5) ? 'return' : 'throw'));
      });
      const step = (): void => {
        if (run.isSettled) return;
        if (habit === 'ends' && scheduler.nowMs >= enoughAtMs) return run.settle('return');
        if (habit === 'throws' && scheduler.nowMs >= enoughAtMs) return run.settle('throw');
        if (habit !== 'hangs' || scheduler.nowMs < enoughAtMs) {
          run.beatAtMs = this.clock.now().monotonicMs;
          context.beat();
          host.write(context);
        }
        if (random.chance(0.05)) this.#ensure(run, random.between(1, timings.ttlMs / 2));
        this.clock.schedule(stepMs, step);
      };
      step();
    });
  }

  #ensure(run: Run, ms: number): void {
    const { lease } = run.context;
    lease.ensure(ms).then(
      () => {
        if (lease.remainingMs() < ms) this.#host.report(new Violation('T4', `ensure(${ms}) was kept with ${lease.remainingMs()} ms left`));
      },
      () => {
        if (lease.remainingMs() >= ms)
          this.#host.report(new Violation('T4', `ensure(${ms}) was refused with ${lease.remainingMs()} ms left`));
      },
    );
  }

  #followEvents(): void {
    const { events } = this.shell;
    events.on('group', (event) => {
      const { groupId, from, to, reason, term } = event;
      this.#host.trace(`${this.name} ${groupId}: ${from} → ${to} (${reason}${term === null ? '' : `, term ${term}`})`);
      const last = this.#groupChain.get(groupId) ?? 'standby';
      if (last !== from) this.#host.report(new Violation('T11', `${this.name} ${groupId} went from ${from} to ${to}, but was ${last}`));
      this.#groupChain.set(groupId, to);
    });
    events.on('session', (event) => {
      const { from, to, reason, sessionId } = event;
      this.#host.trace(`${this.name} session ${sessionId ?? '–'}: ${from} → ${to} (${reason})`);
      if (this.#sessionChain !== null && this.#sessionChain !== from) {
        this.#host.report(new Violation('T11', `${this.name} session went from ${from} to ${to}, but was ${this.#sessionChain}`));
      }
      this.#sessionChain = to;
      if (reason === 'expired' && sessionId !== null) this.onExpired?.(sessionId);
    });
    events.on('overrun', (event) => this.#host.trace(`${this.name} ${event.groupId}: overrun of term ${event.term} (${event.reason})`));
  }

  /** Called when the shell believes the store's "no". */
  onExpired?: (sessionId: string) => void;
}
