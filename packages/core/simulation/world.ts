import type { WorkContext } from '../src/coordinator-types.js';
import { machines as realMachines, type Machines } from '../src/machines.js';
import type { LeaseStore } from '../src/lease-store.js';
import { memoryLeaseStore } from '../src/memory/index.js';
import { type Fate, faultyStore, Random, Scheduler, VirtualClock } from '../src/testing/index.js';
import { resolveTimings, type Timings } from '../src/timings.js';
import { Audit, AuditedDatabase, Violation } from './audit.js';
import { type Habit, SimNode } from './node.js';

/** A way to break the system under simulation; everything that it leaves out is real. */
export interface Plant {
  readonly machines?: (real: Machines) => Machines;
  readonly database?: (audit: Audit, retentionMs: number) => AuditedDatabase;
  /** Between the member and the network. */
  readonly client?: (store: LeaseStore, clock: VirtualClock) => LeaseStore;
  /** Between the network and the database. */
  readonly server?: (store: LeaseStore, database: AuditedDatabase, scheduler: Scheduler, now: () => number) => LeaseStore;
}

/** How bad the network is at the moment. */
interface Weather {
  requestLost: number;
  replyLost: number;
  late: number;
  again: number;
  slowMs: number;
  /** How likely a claim or a release arrives only after its sender gave up. */
  lateLease: number;
}

const CALM: Weather = { requestLost: 0, replyLost: 0, late: 0, again: 0, slowMs: 0, lateLease: 0 };

/** Everything of one seed: the store, the network, the nodes, and the checks that must hold after every step. */
export class World {
  readonly random: Random;
  readonly scheduler: Scheduler = new Scheduler();
  readonly timings: Timings;
  readonly groupIds: readonly string[];
  readonly nodes: SimNode[] = [];
  readonly storeClock: VirtualClock;
  readonly database: AuditedDatabase;
  readonly audit: Audit;
  readonly watchdogMs: number;
  readonly weather: Weather = { ...CALM };
  /** Cut off from the store until then, by node name; `'*'` is the store's own outage. */
  readonly outages: Map<string, number> = new Map();
  readonly traceLines: string[] = [];
  isCalm = false;
  /** What work does, each as likely as the others; and the longest that it runs if it ends by itself. */
  habits: readonly Habit[] = ['steady', 'steady', 'steady', 'ends', 'throws', 'hangs', 'deaf'];
  longestWorkMs: number;
  /** When the last statement that was already under way will have arrived. */
  lastDeliveryMs = 0;
  violation: Violation | null = null;

  readonly #machines: Machines;
  readonly #plant: Plant;
  readonly #store: LeaseStore;
  readonly #rates = new Map<string, number>();
  #incarnation = 0;

  constructor(seed: number, plant: Plant = {}) {
    this.random = new Random(seed);
    this.#plant = plant;
    this.#machines = plant.machines?.(realMachines) ?? realMachines;
    const { random } = this;
    const ttlMs = Math.round(random.between(800, 4_000));
    this.timings = resolveTimings({ ttlMs, heartbeatMs: ttlMs / random.between(4, 9), safetyMarginMs: ttlMs * random.between(0.1, 0.15) });
    this.watchdogMs = ttlMs / 2;
    this.longestWorkMs = 4 * ttlMs;
    this.groupIds = Array.from({ length: 1 + random.below(random.pick([3, 3, 6])) }, (_, index) => `group-${index + 1}`);
    // The residual assumption of T2 is about rates: ours at most ttl / (ttl − margin) slower than the store's, at least 1.11.
    this.storeClock = new VirtualClock(this.scheduler, { rate: random.between(0.97, 1.03) });
    this.audit = new Audit({
      isWorking: (groupId, sessionId, term) =>
        this.#liveRuns().some(
          ({ context }) => context.groupId === groupId && context.term === term && context.lease.sessionId === sessionId,
        ),
      isAnyWorking: (sessionId) => this.#liveRuns().some(({ context }) => context.lease.sessionId === sessionId),
    });
    const retentionMs = 4 * ttlMs;
    this.database = plant.database?.(this.audit, retentionMs) ?? new AuditedDatabase(this.audit, retentionMs);
    const store = memoryLeaseStore({ database: this.database, clock: this.storeClock });
    this.#store = plant.server?.(store, this.database, this.scheduler, () => this.storeNowMs) ?? store;
  }

  get storeNowMs(): number {
    return this.storeClock.now().monotonicMs;
  }

  start(memberId: string): SimNode {
    this.#incarnation += 1;
    const rate = this.#rates.get(memberId) ?? this.random.between(0.96, 1.04);
    this.#rates.set(memberId, rate);
    const node: SimNode = new SimNode({
      host: this,
      memberId,
      incarnation: this.#incarnation,
      rate,
      machines: this.#machines,
      connect: (clock) => {
        const name = `${memberId}#${this.#incarnation}`;
        const store = faultyStore(this.#store, {
          scheduler: this.scheduler,
          fate: (operation) => this.fate(name, operation),
          receive: (callback) => clock.whenRunning(callback),
          onEvent: (text) => this.trace(`${name} ${text}`),
        });
        return this.#plant.client?.(store, clock) ?? store;
      },
    });
    node.onExpired = (sessionId) => {
      if (this.audit.isLive(sessionId, this.storeNowMs))
        this.report(new Violation('T5', `${node.name} gave up session ${sessionId}, which is live`));
    };
    this.nodes.push(node);
    this.trace(`${node.name} starts`);
    for (const groupId of this.groupIds) if (this.random.chance(0.85)) node.lead(groupId);
    return node;
  }

  fate(name: string, operation: string): Fate {
    const { random, weather, scheduler, timings } = this;
    const isCut = [name, '*'].some((key) => (this.outages.get(key) ?? 0) > scheduler.nowMs);
    const { ttlMs } = timings;
    const onceMs = random.between(0.1, 4) + random.next() * weather.slowMs;
    const isLease = operation === 'claim' || operation === 'release';
    const first =
      isLease && random.chance(weather.lateLease)
        ? timings.callDeadlineMs + random.between(0, 2 * ttlMs)
        : random.chance(weather.late)
          ? onceMs + random.between(0, 1.5 * ttlMs)
          : onceMs;
    const deliveries = isCut && random.chance(0.7) ? [] : random.chance(weather.requestLost) ? [] : [first];
    if (deliveries.length > 0 && random.chance(weather.again)) deliveries.push(first + random.between(0, 1.5 * ttlMs));
    for (const afterMs of deliveries) this.lastDeliveryMs = Math.max(this.lastDeliveryMs, scheduler.nowMs + afterMs);
    const isReplyLost = isCut || random.chance(weather.replyLost);
    return { deliverAfterMs: deliveries, replyAfterMs: isReplyLost ? null : random.between(0.1, 4) + random.next() * weather.slowMs };
  }

  write(context: WorkContext): void {
    for (const afterMs of this.fate('resource', 'write').deliverAfterMs) {
      this.scheduler.schedule(afterMs, () => this.database.write(context.groupId, context.lease.sessionId, context.term));
    }
  }

  trace(text: string): void {
    this.traceLines.push(`${this.scheduler.nowMs.toFixed(3).padStart(11)}  ${text}`);
  }

  report(violation: Violation): void {
    this.violation ??= violation;
  }

  /** Everything that must hold at every instant. */
  check(): void {
    this.violation ??= this.database.violation;
    const nowMs = this.storeNowMs;
    for (const node of this.nodes) {
      if (!node.isAlive) continue;
      for (const run of node.runs) {
        const { lease, signal, groupId, term } = run.context;
        if (lease.isHeld()) {
          run.unheldSinceMs = null;
          if (!this.audit.holds(groupId, lease.sessionId, term, nowMs)) {
            this.report(new Violation('T2', `${node.name} trusts its lease of ${groupId} in term ${term}, and the store does not agree`));
          }
        } else if (!signal.aborted && node.isRunning) {
          run.unheldSinceMs ??= this.scheduler.nowMs;
          // Nothing wakes a process when its wall clock is set; it notices with its next heartbeat.
          const graceMs = this.scheduler.nowMs - node.wallJumpedAtMs < 2 * this.timings.ttlMs ? 1.1 * this.timings.heartbeatMs : 1;
          if (this.scheduler.nowMs - Math.max(run.unheldSinceMs, node.resumedAtMs) > graceMs) {
            this.report(new Violation('T4', `${node.name} lost its lease of ${groupId} in term ${term}, and its work was not told`));
          }
        }
        const silentMs = node.clock.now().monotonicMs - run.beatAtMs;
        const isAwake = node.isRunning && this.scheduler.nowMs - node.resumedAtMs > this.timings.heartbeatMs;
        if (isAwake && !signal.aborted && silentMs > this.watchdogMs + this.timings.heartbeatMs) {
          this.report(new Violation('F4', `${node.name} hangs in ${groupId} for ${silentMs.toFixed(0)} ms, and nobody noticed`));
        }
      }
      for (const { groupId, runCount } of node.shell.status().groups) {
        if (runCount < node.startedCount(groupId)) this.report(new Violation('F5', `${node.name} ${groupId}: more runs than were counted`));
      }
    }
    if (this.violation) throw this.violation;
  }

  /** Whether work is going on under a lease that is held. */
  isWorked(groupId: string): boolean {
    return this.#liveRuns().some(({ context }) => context.groupId === groupId && !context.signal.aborted && context.lease.isHeld());
  }

  /** Faults stop; the processes that live go on, and behave. */
  calm(): void {
    this.trace('— calm —');
    this.isCalm = true;
    Object.assign(this.weather, CALM);
    this.outages.clear();
    for (const node of this.nodes) {
      node.resume();
      for (const run of [...node.runs]) if (run.habit !== 'steady' || run.context.signal.aborted) run.settle('return');
    }
  }

  #liveRuns(): { readonly context: WorkContext }[] {
    return this.nodes.filter((node) => node.isAlive).flatMap((node) => [...node.runs]);
  }
}
