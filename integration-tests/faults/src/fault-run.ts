import { beforeExit } from '@wb/test-servers';
import type { JobRecord } from '@wb/schedule';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { check } from './checker.js';
import { clockFaults, clockRateFaults, WRONG_RATE } from './clock-faults.js';
import type { FaultRunOptions, FaultRunResult } from './fault-run-result.js';
import { LiveCheck, type LiveCheckRequest } from './live-check.js';
import { nowMs, wallMs } from './machine-time.js';
import { beginsOf } from './job-begins.js';
import { checkJobs, type JobVerdict } from './job-check.js';
import { jobNames } from './job-kind.js';
import type { Ledger } from './ledger-check.js';
import { Members } from './members.js';
import { Nemesis, type AnyFault } from './nemesis.js';
import { NemesisPlan } from './nemesis-plan.js';
import { networkFaults } from './network-faults.js';
import { processFaults } from './process-faults.js';
import { StallWatch } from './stall-watch.js';
import type { TargetServer } from './target.js';
import { loadTarget } from './targets/index.js';
import type { Verdict, Violation } from './verdict.js';

/** What T9 allows beside the TTL and a heartbeat, in ms: to begin to work takes time on a busy machine. */
const RECOVERY_SLACK_MS = 1_000;
/** How long the first leaders may take, in ms: programs have to start. */
const START_LIMIT_MS = 120_000;
/** How long jobs may take at the end to make up for what was missed, in ms. */
const CATCH_UP_LIMIT_MS = 60_000;
/** How often the histories are looked at while the run goes on, in ms at least; and as a share of the time that it takes, at most. */
const CHECK_EVERY_MS = 2_000;
const CHECK_SHARE = 0.1;

/** Starts members over a target, breaks things, lets everything recover now and then, and checks what everyone saw. A string says why the target cannot be had here. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRunResult | string> {
  mkdirSync(options.directory, { recursive: true });
  const server = await (await loadTarget(options.target)).start();
  if (typeof server === 'string') return server;
  try {
    const run = await FaultRun.begin(options, server);
    try {
      return await run.toEnd();
    } finally {
      await run.dispose();
    }
  } finally {
    await server.stop();
  }
}

class FaultRun {
  readonly #options: FaultRunOptions;
  readonly #server: TargetServer;
  readonly #members: Members;
  /** What the driver has seen itself. */
  readonly #violations: Violation[];
  readonly #kinds: readonly string[];
  readonly #plan: NemesisPlan<AnyFault>;
  readonly #nemesis: Nemesis;
  readonly #startedAtMs: number = nowMs();
  readonly #recoveryMs: number[] = [];
  readonly #stallWatch = new StallWatch();
  readonly #liveCheck = new LiveCheck();
  readonly #isDisposed: () => void;
  #foundCount = 0;
  /** What has ended a run that stops at a violation. */
  #decided: readonly Violation[] = [];
  #ledFromMs = Infinity;

  private constructor(options: FaultRunOptions, server: TargetServer, members: Members, violations: Violation[]) {
    this.#options = options;
    this.#server = server;
    this.#members = members;
    this.#violations = violations;
    const faults: AnyFault[] = [
      ...[
        ...processFaults,
        ...(server.endpoints(members.names[0]!).length > 0 ? networkFaults : []),
        ...(members.canSetClocks ? (options.jobCount === 0 ? clockFaults : clockRateFaults) : []),
      ].map((fault) => ({ ...fault, of: 'member' as const })),
      ...server.faults
        // A database in the members moves their clocks, too.
        .filter(({ movesClock }) => options.jobCount === 0 || movesClock !== true || server.clockFile === undefined)
        .map((fault) => ({ ...fault, of: 'server' as const })),
    ];
    this.#kinds = faults.map(({ kind }) => kind);
    this.#plan = new NemesisPlan(options.seed, faults, options.memberCount, options.ttlMs);
    this.#nemesis = new Nemesis(members, () => this.#report());
    this.#isDisposed = beforeExit(() => this.dispose());
    // It ends with its thread, whose answer then never comes.
    void this.#lookNowAndThen();
  }

  static async begin(options: FaultRunOptions, server: TargetServer): Promise<FaultRun> {
    const { target, ttlMs, groupCount, jobCount, memberCount, directory, plant = null } = options;
    const violations: Violation[] = [];
    const members = await Members.start({
      target,
      server,
      memberCount,
      groups: Array.from({ length: groupCount }, (_, at) => `group-${at + 1}`),
      jobGroups: jobNames(jobCount),
      ttlMs,
      heartbeatMs: ttlMs / 5,
      unitMs: Math.max(60, groupCount * 15),
      directory,
      plant,
      onUnexpectedEnd: (process, how) =>
        violations.push({ rule: 'exit', atMs: nowMs(), message: `${process} ended as it should not: ${how}` }),
    });
    const run = new FaultRun(options, server, members, violations);
    if (!(await run.#untilAllLed(START_LIMIT_MS)) && run.#foundCount === 0) {
      await run.dispose();
      const why = violations.length === 0 ? `within ${START_LIMIT_MS} ms` : violations.map(({ message }) => message).join('; ');
      throw new Error(`${target}: the groups had no leaders: ${why}`);
    }
    run.#ledFromMs = nowMs();
    return run;
  }

  async toEnd(): Promise<FaultRunResult> {
    while (this.#elapsedMs < this.#options.durationMs && !this.#isOver) {
      const round = this.#plan.next();
      if (round.mode === 'storm') {
        await this.#nemesis.storm(round, () => this.#isOver);
        await this.#calm();
      } else {
        for (const fault of round.faults) {
          if (this.#elapsedMs >= this.#options.durationMs || this.#isOver) break;
          await this.#nemesis.strikeOnce(fault);
          await this.#calm();
        }
      }
      // What was found in histories that are being written may be half of the truth: the whole of it decides whether that is the end.
      if (this.#options.stopAtViolation === true && this.#nemesis.failure === null && this.#violations.length === 0)
        this.#decided = (await this.#verdict()).violations;
    }
    await this.#untilCaughtUp();
    const endedAtMs = nowMs();
    const stoppedAtMs = wallMs();
    await this.#members.closeAll();
    const whole = await this.#verdict(endedAtMs);
    // A group that nobody led counts as led for as long as the last work takes to settle: what was seen before it did is seen no more.
    const verdict = whole.violations.length === 0 ? { ...whole, violations: this.#decided } : whole;
    const jobs = this.#nemesis.failure === null ? await this.#jobVerdict(stoppedAtMs) : null;
    const { target, seed } = this.#options;
    const { faults } = this.#nemesis;
    return {
      ...verdict,
      jobs,
      target,
      title: this.#server.title,
      seed,
      members: this.#members.names,
      groups: this.#members.groups,
      faults,
      missedKinds: this.#kinds.filter((kind) => !faults.some((fault) => fault.kind === kind)),
      stallCount: this.#stallWatch.stalls.length,
      startedAtMs: this.#startedAtMs,
      endedAtMs,
      takeoverCount: verdict.leaderships.length - this.#members.groups.length,
      limitMs: this.#limitMs,
      recoveryMs: this.#recoveryMs,
      failure: this.#nemesis.failure?.message ?? null,
    };
  }

  async dispose(): Promise<void> {
    await this.#liveCheck.close();
    this.#stallWatch.stop();
    await this.#members.dispose();
    this.#isDisposed();
  }

  get #elapsedMs(): number {
    return nowMs() - this.#startedAtMs;
  }

  get #limitMs(): number {
    const { ttlMs } = this.#options;
    return ttlMs + ttlMs / 5 + RECOVERY_SLACK_MS;
  }

  /** What T9 allows a job beside: a call that is under way, a pause before it is repeated, and how far the clocks of two leaders may have come apart. */
  get #jobLimitMs(): number {
    const wrongForMs = this.#members.names.map((name) =>
      this.#nemesis.faults.reduce(
        (sum, { member, kind, fromMs, untilMs }) =>
          member === name && clockRateFaults.some((fault) => fault.kind === kind) ? sum + untilMs - fromMs : sum,
        0,
      ),
    );
    return this.#limitMs + this.#options.ttlMs + 1_000 + 2 * WRONG_RATE * Math.max(...wrongForMs);
  }

  /** Whether there is nothing more to be learned. */
  get #isOver(): boolean {
    return (
      this.#nemesis.failure !== null || this.#violations.length > 0 || (this.#options.stopAtViolation === true && this.#foundCount > 0)
    );
  }

  /** What the histories say so far, all the time; the database is not asked. */
  async #lookNowAndThen(): Promise<void> {
    for (;;) {
      const sinceMs = nowMs();
      const histories = this.#members.histories.map(({ process, path }) => ({ process, path }));
      const count = await this.#liveCheck.count({ histories, limits: { ...this.#limits(), endedAtMs: sinceMs } });
      this.#foundCount = Math.max(this.#foundCount, count);
      this.#report();
      await sleep(Math.max(CHECK_EVERY_MS, (nowMs() - sinceMs) / CHECK_SHARE), undefined, { ref: false });
    }
  }

  async #verdict(endedAtMs = nowMs()): Promise<Verdict> {
    const readAtMs = nowMs();
    const rows = this.#nemesis.failure === null ? await this.#server.readLedger() : null;
    return this.#check(rows === null ? null : { rows, readAtMs }, endedAtMs);
  }

  #limits(): Omit<LiveCheckRequest['limits'], 'endedAtMs'> {
    const { ttlMs } = this.#options;
    return {
      limitMs: this.#limitMs,
      members: this.#members.names,
      groups: this.#members.groups,
      faults: this.#nemesis.faults,
      stalls: this.#stallWatch.stalls,
      startedAtMs: Math.min(this.#ledFromMs, nowMs()),
      ttlMs,
      trustMs: ttlMs - ttlMs / 10,
      jobs: { names: this.#members.jobGroups, limitMs: this.#jobLimitMs },
    };
  }

  #check(ledger: Ledger | null, endedAtMs: number): Verdict {
    // What the ledger has was written down before it was sent.
    const untilMs = nowMs();
    this.#members.poll();
    const histories = this.#members.histories.map((history) => history.upTo(untilMs));
    const verdict = check(histories, ledger, { ...this.#limits(), endedAtMs });
    const violations = [...verdict.violations, ...this.#violations].toSorted((a, b) => a.atMs - b.atMs);
    this.#foundCount = violations.length;
    return { ...verdict, violations };
  }

  async #jobVerdict(stoppedAtMs: number): Promise<JobVerdict | null> {
    const { jobGroups } = this.#members;
    if (jobGroups.length === 0) return null;
    const { store } = (await loadTarget(this.#options.target)).open(this.#server.url(this.#server.endpoints(this.#members.names[0]!)));
    try {
      const rows = await this.#server.readRuns();
      const begins = beginsOf(this.#members.histories);
      const facts = jobGroups.map(async (job) => {
        const [entry] = await store.readJobs!(job);
        return {
          job,
          record: entry === undefined ? null : (JSON.parse(entry.record) as JobRecord),
          begins: begins.get(job) ?? [],
          rows: rows.filter((row) => row.job === job),
          stoppedAtMs,
          limitMs: this.#jobLimitMs,
        };
      });
      return checkJobs(await Promise.all(facts));
    } finally {
      await store.close();
    }
  }

  /** No faults: every group must have a leader within a TTL and a heartbeat (T9). */
  async #calm(): Promise<void> {
    if (this.#isOver) return;
    const startedAtMs = nowMs();
    const isLed = await this.#untilAllLed(this.#limitMs);
    if (isLed) this.#recoveryMs.push(nowMs() - startedAtMs);
    // If nobody leads for longer, the histories show it. The run goes on when somebody does.
    else if (!this.#isOver && !(await this.#untilAllLed(START_LIMIT_MS)) && !this.#isOver) {
      this.#violations.push({
        rule: 'T9',
        atMs: nowMs(),
        message: `${this.#unled(startedAtMs).join(', ')} had no leader ${START_LIMIT_MS} ms after the last fault`,
      });
    }
  }

  /** Jobs make up for what the last faults have kept them from, which may be a lot; that they go on meanwhile is T9. Whoever is still behind after the longest time is told of as lost. */
  async #untilCaughtUp(): Promise<void> {
    const { jobGroups } = this.#members;
    for (const endMs = nowMs() + CATCH_UP_LIMIT_MS; nowMs() < endMs && !this.#isOver; await sleep(250)) {
      this.#members.poll();
      const begins = beginsOf(this.#members.histories);
      const newestMs = jobGroups.map((job) => Math.max(...(begins.get(job) ?? []).map(({ scheduledAtMs }) => scheduledAtMs)));
      if (newestMs.every((scheduledAtMs) => wallMs() - scheduledAtMs <= this.#jobLimitMs)) return;
    }
  }

  #report(): void {
    const takeoverCount = this.#members.beginCount - this.#members.groups.length;
    this.#options.onProgress?.({
      faultCount: this.#nemesis.faults.length,
      takeoverCount: Math.max(0, takeoverCount),
      violationCount: Math.max(this.#foundCount, this.#violations.length),
      elapsedMs: this.#elapsedMs,
      last: this.#nemesis.last,
    });
  }

  async #untilAllLed(limitMs: number): Promise<boolean> {
    const sinceMs = nowMs();
    for (const endMs = sinceMs + limitMs; nowMs() < endMs && !this.#isOver; await sleep(25)) {
      if (this.#unled(sinceMs).length === 0) return true;
    }
    return false;
  }

  /** Groups in which nobody has done a unit of work, or begun a job, since then. */
  #unled(sinceMs: number): string[] {
    this.#members.poll();
    const alive = new Set(this.#members.alive().map(({ start }) => start.process));
    const led = new Set<string>();
    for (const { process, records } of this.#members.histories) {
      if (!alive.has(process)) continue;
      for (let at = records.length - 1; at >= 0 && records[at]!.atMs >= sinceMs; at -= 1) {
        const record = records[at]!;
        if (record.kind === 'unit') led.add(record.group);
        else if (record.kind === 'job') led.add(record.job);
      }
    }
    return [...this.#members.groups, ...this.#members.jobGroups].filter((group) => !led.has(group));
  }
}
