import type { Coordinator, LeaseStore } from '@wb/core';
import { memoryLeaseStore, type MemoryLeaseStore, type StoreInstant } from '@wb/core/memory';
import { faultyStore, Random, Scheduler as VirtualTime, VirtualClock, type Fate } from '@wb/core/testing';
import { answerInterrupted, resumeJob, type JobEvent, type JobRecord } from '../src/index.js';
import { Audit } from './audit.js';
import { AuditedDatabase } from './audited-database.js';
import { drawJob, START_MS, timesBetween, type JobSpec } from './job-spec.js';
import type { Habit, Run } from './run.js';
import { SimMember, type MemberHost, type WorldTimings } from './sim-member.js';
import { Violation } from './violation.js';

/** A way to break the system under simulation; everything that it leaves out is real. */
export interface Plant {
  readonly database?: (audit: Audit) => AuditedDatabase;
  /** Between a member's jobs and the network. */
  readonly client?: (store: LeaseStore, clock: VirtualClock) => LeaseStore;
  /** Between a member's coordinator and its jobs. */
  readonly coordinator?: (real: Coordinator, clock: VirtualClock) => Coordinator;
  /** What the members do instead of what they should. */
  readonly options?: (options: JobSpec['options']) => JobSpec['options'];
}

/** How bad the network is at the moment. */
interface Weather {
  requestLost: number;
  replyLost: number;
  late: number;
  again: number;
  slowMs: number;
  /** How likely a write of a record arrives only after its sender gave up. */
  lateWrite: number;
}

const CALM: Weather = { requestLost: 0, replyLost: 0, late: 0, again: 0, slowMs: 0, lateWrite: 0 };

/** Everything of one seed: the store, the network, the members, their jobs, and the checks that must hold after every step. */
export class World implements MemberHost {
  readonly random: Random;
  readonly time: VirtualTime = new VirtualTime();
  readonly timings: WorldTimings;
  readonly specs: readonly JobSpec[];
  readonly members: SimMember[] = [];
  readonly audit: Audit;
  readonly database: AuditedDatabase;
  /** The database without a network between. */
  readonly direct: MemoryLeaseStore;
  /** Somebody who does not take part. */
  readonly operator: { readonly clock: VirtualClock } = { clock: new VirtualClock(this.time, { wallMs: START_MS }) };
  readonly weather: Weather = { ...CALM };
  /** Cut off from the store until then, by member; `'*'` is the store's own outage. */
  readonly outages: Map<string, number> = new Map();
  readonly traceLines: string[] = [];
  isCalm = false;
  /** What work does, each as likely as the others. */
  habits: readonly Habit[] = ['quick', 'quick', 'slow', 'slow', 'throws', 'deaf', 'hangs'];
  beginCount = 0;
  rerunCount = 0;
  /** When the last statement that was already under way will have arrived. */
  lastDeliveryMs = 0;
  violation: Violation | null = null;

  readonly #plant: Plant;
  readonly #storeClock: VirtualClock;
  readonly #rates = new Map<string, number>();
  #incarnation = 0;

  constructor(seed: number, plant: Plant = {}) {
    const random = new Random(seed);
    this.random = random;
    this.#plant = plant;
    const ttlMs = Math.round(random.between(800, 3_000));
    this.timings = { ttlMs, heartbeatMs: ttlMs / 5, callDeadlineMs: ttlMs / 5, refreshMs: Math.round(ttlMs / 2) };
    const groupCount = 1 + random.below(2);
    this.specs = Array.from({ length: groupCount + random.below(3) }, (_, at) =>
      drawJob(random, `group-${(at % groupCount) + 1}`, `job-${at + 1}`, ttlMs),
    );
    this.#storeClock = new VirtualClock(this.time, { rate: random.between(0.97, 1.03) });
    this.audit = new Audit(this.specs);
    this.database = plant.database?.(this.audit) ?? new AuditedDatabase(this.audit);
    this.database.onWrite = ({ jobId, lease, record }) => {
      const { running, count, skippedCount, isPaused } = JSON.parse(record) as JobRecord;
      const what = running === null ? '–' : `${running.occurrence}/${running.attempt}${running.retryAtMs === null ? '' : ' waits'}`;
      this.trace(
        `${jobId} is written in term ${lease?.term ?? '–'}: runs ${what}, ${count} and ${skippedCount}${isPaused ? ', paused' : ''}`,
      );
    };
    this.direct = memoryLeaseStore({ database: this.database, clock: this.#storeClock });
  }

  start(memberId: string): SimMember {
    this.#incarnation += 1;
    const name = `${memberId}#${this.#incarnation}`;
    const rate = this.#rates.get(memberId) ?? this.random.between(0.96, 1.04);
    this.#rates.set(memberId, rate);
    const member = new SimMember({
      host: this,
      memberId,
      incarnation: this.#incarnation,
      rate,
      connect: (clock) => this.connect(name, clock),
      ...(this.#plant.coordinator && { coordinator: this.#plant.coordinator }),
    });
    this.members.push(member);
    this.trace(`${name} starts`);
    for (const spec of this.specs) if (this.random.chance(0.9)) member.attach(spec);
    return member;
  }

  /** The store by way of a bad network. */
  connect(name: string, clock: VirtualClock): LeaseStore {
    const store = faultyStore(this.direct, {
      scheduler: this.time,
      fate: (operation) => this.#fate(name, operation),
      receive: (callback) => clock.whenRunning(callback),
      onEvent: (text) => this.trace(`${name} ${text}`),
    });
    return this.#plant.client?.(store, clock) ?? store;
  }

  optionsOf({ options }: JobSpec): JobSpec['options'] {
    return this.#plant.options?.(options) ?? options;
  }

  habitOf({ options }: JobSpec): Habit {
    if (this.isCalm) return 'quick';
    const habit = this.random.pick(this.habits);
    // Nobody notices what hangs where no time is set.
    return habit === 'hangs' && options.timeoutMs === undefined ? 'slow' : habit;
  }

  began(member: SimMember, run: Run): void {
    this.beginCount += 1;
    const { context } = run;
    const { groupId, jobId, occurrence, attempt, isRerun, term, lease, signal, scheduledAt, cause } = context;
    if (isRerun) this.rerunCount += 1;
    this.trace(`${member.name} ${jobId}: work of occurrence ${occurrence}, attempt ${attempt}, term ${term} (${run.habit})`);
    const { sessionId } = lease;
    this.#check(() => {
      const { state } = member.coordinator.status().groups.find((group) => group.groupId === groupId)!;
      this.audit.began(context, state === 'leading' && this.database.leads(groupId, term, sessionId, this.#storeNowMs));
      if (signal.aborted) throw new Violation('claim', `occurrence ${occurrence} of ${jobId} begins after its signal`);
      if (!this.isCalm && attempt === 1 && !isRerun && cause !== 'manual' && scheduledAt.getTime() > member.wallMs)
        throw new Violation('claim', `occurrence ${occurrence} of ${jobId} begins before its time`);
      for (const other of member.runs) {
        if (other !== run && other.context.groupId === groupId && other.context.jobId === jobId && !other.context.signal.aborted)
          throw new Violation('beside', `occurrence ${occurrence} of ${jobId} begins beside occurrence ${other.context.occurrence}`);
      }
    });
  }

  settled({ context }: Run, how: 'returned' | 'threw'): void {
    this.audit.settled(context, how);
  }

  noted({ context }: Run, value: number, state: 'sent' | 'acknowledged'): void {
    this.audit.checkpoint(context, value, state);
  }

  stopped(spec: JobSpec): void {
    this.audit.stopped(spec, this.database.leases.get(spec.groupId)?.term ?? 0);
  }

  event(event: JobEvent): void {
    if (event.kind === 'unreadable') this.#report(new Violation('account', `the record of ${event.jobId} cannot be read`));
  }

  trace(text: string): void {
    this.traceLines.push(`${this.time.nowMs.toFixed(3).padStart(11)}  ${text}`);
  }

  /** Everything that must hold at every instant. */
  check(): void {
    this.violation ??= this.database.violation;
    if (this.violation) throw this.violation;
  }

  /** Faults stop; the processes that live go on, with their clocks set right; new work behaves. */
  calm(): void {
    this.trace('— calm —');
    this.isCalm = true;
    Object.assign(this.weather, CALM);
    this.outages.clear();
    for (const member of this.members) {
      if (!member.isAlive) continue;
      member.clock.resume();
      member.setRight();
    }
  }

  /** Somebody who looks after the jobs: resumes what is paused, and answers what is asked. */
  tend(): void {
    for (const spec of this.specs) {
      const record = this.audit.recordOf(spec);
      const { groupId, jobId } = spec;
      if (record === null) continue;
      if (record.isPaused) void resumeJob(this.direct, groupId, jobId, this.operator);
      const isAsked = record.running?.interruptedAtMs != null && record.answer === null;
      if (isAsked) void answerInterrupted(this.direct, groupId, jobId, this.random.pick(['rerun', 'skip'] as const), this.operator);
    }
  }

  /** What keeps a job from being current at this instant; `null`: nothing does. */
  backlogOf(spec: JobSpec): string | null {
    const { groupId, jobId, options } = spec;
    const record = this.audit.recordOf(spec);
    if (record === null) return 'no leader has seen it';
    if (record.endReason !== null) return null;
    const leader = this.leaderOf(groupId);
    if (leader === undefined) return 'nobody leads';
    const { running, count, anchorAtMs, cursorAtMs } = record;
    if (running !== null) {
      const isWorked = [...leader.runs].some(({ context }) => context.jobId === jobId && context.occurrence === running.occurrence);
      const waits = running.retryAtMs !== null && running.retryAtMs > leader.wallMs;
      return isWorked || waits ? null : `occurrence ${running.occurrence} is not worked on`;
    }
    if (count >= (options.maxCount ?? Number.POSITIVE_INFINITY)) return 'it is not over';
    const [dueAtMs] = timesBetween(spec, anchorAtMs, cursorAtMs, leader.wallMs);
    return dueAtMs === undefined ? null : `the time ${dueAtMs} is due`;
  }

  /** The member that leads a group and knows it. */
  leaderOf(groupId: string): SimMember | undefined {
    const holderId = this.database.leases.get(groupId)?.holderId ?? null;
    return this.members.find(
      ({ isAlive, coordinator }) => isAlive && holderId !== null && coordinator.status().session.sessionId === holderId,
    );
  }

  #fate(name: string, operation: string): Fate {
    const { random, weather, time, timings } = this;
    const isCut = [name, '*'].some((key) => (this.outages.get(key) ?? 0) > time.nowMs);
    const { ttlMs, callDeadlineMs } = timings;
    const onceMs = random.between(0.1, 4) + random.next() * weather.slowMs;
    const isLate = operation === 'writeJob' && random.chance(weather.lateWrite);
    const first = isLate
      ? callDeadlineMs + random.between(0, 2 * ttlMs)
      : random.chance(weather.late)
        ? onceMs + random.between(0, 1.5 * ttlMs)
        : onceMs;
    const deliveries = (isCut && random.chance(0.7)) || random.chance(weather.requestLost) ? [] : [first];
    if (deliveries.length > 0 && random.chance(weather.again)) deliveries.push(first + random.between(0, 1.5 * ttlMs));
    for (const afterMs of deliveries) this.lastDeliveryMs = Math.max(this.lastDeliveryMs, time.nowMs + afterMs);
    const isReplyLost = isCut || random.chance(weather.replyLost);
    return { deliverAfterMs: deliveries, replyAfterMs: isReplyLost ? null : random.between(0.1, 4) + random.next() * weather.slowMs };
  }

  get #storeNowMs(): StoreInstant {
    return this.#storeClock.now().monotonicMs as StoreInstant;
  }

  #check(look: () => void): void {
    try {
      look();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#report(error);
    }
  }

  #report(violation: Violation): void {
    this.violation ??= violation;
  }
}
