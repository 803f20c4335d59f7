import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { check } from './checker.js';
import { clockFaults } from './clock-faults.js';
import type { InjectedFault } from './injected-fault.js';
import { nowMs } from './machine-time.js';
import type { MemberFault } from './member-fault.js';
import { Members } from './members.js';
import { NemesisPlan, type PlannedFault } from './nemesis-plan.js';
import { networkFaults } from './network-faults.js';
import { processFaults } from './process-faults.js';
import { StallWatch } from './stall-watch.js';
import type { ServerFault, TargetServer } from './target.js';
import { loadTarget } from './targets/index.js';
import type { Verdict, Violation } from './verdict.js';

/** Options of {@link runFaults}. */
export interface FaultRunOptions {
  readonly target: string;
  readonly seed: number;
  /** How long faults are injected, in ms. */
  readonly durationMs: number;
  readonly memberCount: number;
  readonly groupCount: number;
  readonly ttlMs: number;
  /** Where the histories go. */
  readonly directory: string;
  readonly plant?: string;
  /** Ends the run as soon as the histories show a violation. */
  readonly stopAtViolation?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/** How a run goes. */
export interface Progress {
  readonly faultCount: number;
  readonly takeoverCount: number;
  readonly violationCount: number;
  readonly elapsedMs: number;
  /** What was injected last. */
  readonly last: string;
}

/** What a run came to. */
export interface FaultRunResult extends Verdict {
  readonly target: string;
  readonly title: string;
  readonly seed: number;
  readonly members: readonly string[];
  readonly groups: readonly string[];
  readonly faults: readonly InjectedFault[];
  readonly stallCount: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly takeoverCount: number;
  /** How long it took until every group was led, each time that the faults had stopped, in ms. */
  readonly recoveryMs: readonly number[];
}

/** What T9 allows beside the TTL and a heartbeat, in ms: starting processes and doing the work takes time on a busy machine. */
const RECOVERY_SLACK_MS = 1_500;
/** How long the first leaders, and an end of a fault, may take, in ms: programs and servers have to start. */
const START_LIMIT_MS = 60_000;

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

type AnyFault = (MemberFault & { readonly of: 'member' }) | (ServerFault & { readonly of: 'server' });

class FaultRun {
  readonly #options: FaultRunOptions;
  readonly #server: TargetServer;
  readonly #members: Members;
  readonly #violations: Violation[];
  readonly #plan: NemesisPlan<AnyFault>;
  readonly #startedAtMs: number = nowMs();
  readonly #faults: InjectedFault[] = [];
  readonly #recoveryMs: number[] = [];
  readonly #stallWatch = new StallWatch();
  /** Members that suffer from something: one thing at a time, of each. */
  readonly #suffering = new Set<string>();
  #serverSuffers: Promise<unknown> = Promise.resolve();
  #last = 'begins';

  private constructor(options: FaultRunOptions, server: TargetServer, members: Members, violations: Violation[]) {
    this.#options = options;
    this.#server = server;
    this.#members = members;
    this.#violations = violations;
    const faults: AnyFault[] = [
      ...[
        ...processFaults,
        ...(server.endpoints(members.names[0]!).length > 0 ? networkFaults : []),
        ...(members.canSetClocks ? clockFaults : []),
      ].map((fault) => ({ ...fault, of: 'member' as const })),
      ...server.faults.map((fault) => ({ ...fault, of: 'server' as const })),
    ];
    this.#plan = new NemesisPlan(options.seed, faults, options.memberCount, options.ttlMs);
  }

  static async begin(options: FaultRunOptions, server: TargetServer): Promise<FaultRun> {
    const { target, ttlMs, groupCount, memberCount, directory, plant = null } = options;
    const violations: Violation[] = [];
    const members = await Members.start({
      target,
      server,
      memberCount,
      groups: Array.from({ length: groupCount }, (_, at) => `group-${at + 1}`),
      ttlMs,
      heartbeatMs: ttlMs / 5,
      unitMs: Math.max(60, groupCount * 15),
      directory,
      plant,
      onUnexpectedEnd: (process, how) => violations.push({ rule: 'T7', atMs: nowMs(), message: `${process} ended by itself: ${how}` }),
    });
    const run = new FaultRun(options, server, members, violations);
    if (!(await run.#untilAllLed(START_LIMIT_MS))) {
      await run.dispose();
      throw new Error(`${target}: the groups had no leaders ${START_LIMIT_MS} ms after the members were started`);
    }
    return run;
  }

  async toEnd(): Promise<FaultRunResult> {
    const { durationMs, stopAtViolation = false } = this.#options;
    let isOver = false;
    while (!isOver) {
      const { mode, faults } = this.#plan.next();
      if (mode === 'storm') {
        await this.#storm(faults);
        await this.#calm();
      } else {
        for (const fault of faults) {
          if (this.#elapsedMs >= durationMs) break;
          await this.#strike(fault, new AbortController().signal);
          await this.#calm();
        }
      }
      isOver =
        this.#elapsedMs >= durationMs || this.#violations.length > 0 || (stopAtViolation && (await this.#verdict()).violations.length > 0);
    }
    const endedAtMs = nowMs();
    await this.#members.closeAll();
    const verdict = await this.#verdict(endedAtMs);
    const { target, seed } = this.#options;
    return {
      ...verdict,
      target,
      title: this.#server.title,
      seed,
      members: this.#members.names,
      groups: this.#members.groups,
      faults: this.#faults,
      stallCount: this.#stallWatch.stalls.length,
      startedAtMs: this.#startedAtMs,
      endedAtMs,
      takeoverCount: verdict.leaderships.length - this.#members.groups.length,
      recoveryMs: this.#recoveryMs,
    };
  }

  async dispose(): Promise<void> {
    this.#stallWatch.stop();
    await this.#members.dispose();
  }

  get #elapsedMs(): number {
    return nowMs() - this.#startedAtMs;
  }

  get #limitMs(): number {
    const { ttlMs } = this.#options;
    return ttlMs + ttlMs / 5 + RECOVERY_SLACK_MS;
  }

  async #verdict(endedAtMs = nowMs()): Promise<Verdict> {
    this.#members.poll();
    const ledger = await this.#server.readLedger();
    // Read again: what the ledger has must have been written down by somebody before.
    this.#members.poll();
    const verdict = check(this.#members.histories, ledger, {
      limitMs: this.#limitMs,
      members: this.#members.names,
      faults: this.#faults,
      stalls: this.#stallWatch.stalls,
      endedAtMs,
      clockGraceMs: this.#options.ttlMs,
    });
    return { ...verdict, violations: [...verdict.violations, ...this.#violations].toSorted((a, b) => a.atMs - b.atMs) };
  }

  /** Many faults at once. */
  async #storm(faults: readonly PlannedFault<AnyFault>[]): Promise<void> {
    const startedAtMs = nowMs();
    const end = new AbortController();
    const running: Promise<void>[] = [];
    for (const fault of faults) {
      await sleep(Math.max(0, startedAtMs + fault.atMs - nowMs()));
      if (this.#violations.length > 0) break;
      running.push(this.#strike(fault, end.signal));
    }
    end.abort();
    await Promise.all(running);
  }

  /** No faults: every group must have a leader within a TTL and a heartbeat (T9). */
  async #calm(): Promise<void> {
    const startedAtMs = nowMs();
    const isLed = await this.#untilAllLed(this.#limitMs);
    if (isLed) this.#recoveryMs.push(nowMs() - startedAtMs);
    // If nobody leads for longer, the histories show it. The run goes on when somebody does.
    else if (this.#violations.length === 0 && !(await this.#untilAllLed(START_LIMIT_MS))) {
      this.#violations.push({
        rule: 'T9',
        atMs: nowMs(),
        message: `${this.#unled(startedAtMs).join(', ')} had no leader ${START_LIMIT_MS} ms after the last fault`,
      });
    }
  }

  async #strike(planned: PlannedFault<AnyFault>, signal: AbortSignal): Promise<void> {
    const { fault } = planned;
    if (fault.of === 'member') {
      await this.#strikeMember(fault, planned, signal);
      return;
    }
    // One at a time: the next waits until the database has recovered from the last, or until the storm is over.
    const before = this.#serverSuffers;
    const strike = before.then(() => (signal.aborted ? undefined : this.#inject(fault, null, planned.forMs, () => fault.inject(), signal)));
    this.#serverSuffers = strike.catch(() => undefined);
    await strike;
  }

  async #strikeMember(fault: MemberFault, { member, forMs, dice }: PlannedFault<AnyFault>, signal: AbortSignal): Promise<void> {
    const alive = this.#members.alive();
    const names = this.#members.names;
    const inOrder = names.map((_, at) => names[(member + at) % names.length]!);
    const name = inOrder.find((each) => !this.#suffering.has(each) && alive.some((process) => process.start.member === each));
    if (name === undefined) return;
    const process = alive.find((each) => each.start.member === name)!;
    this.#suffering.add(name);
    await this.#inject(fault, name, forMs, () => fault.inject({ process, members: this.#members, forMs, dice }), signal);
    this.#suffering.delete(name);
  }

  async #inject(
    fault: MemberFault | ServerFault,
    member: string | null,
    forMs: number,
    inject: () => Promise<() => Promise<void> | void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { kind } = fault;
    const fromMs = nowMs();
    this.#last = member === null ? kind : `${kind}: ${member}`;
    this.#report();
    const heal = await inject();
    const injectedAtMs = nowMs();
    await sleep(forMs, undefined, { signal }).catch(() => undefined);
    await within(START_LIMIT_MS, `${kind} was not over`, heal());
    const untilMs = nowMs();
    const sparesOthers = 'sparesOthers' in fault && fault.sparesOthers;
    const movesClock = 'movesClock' in fault && fault.movesClock;
    this.#faults.push({ kind, member, fromMs, untilMs, settledAtMs: sparesOthers ? injectedAtMs : untilMs, movesClock });
  }

  #report(): void {
    const takeoverCount = this.#members.beginCount - this.#members.groups.length;
    this.#options.onProgress?.({
      faultCount: this.#faults.length,
      takeoverCount: Math.max(0, takeoverCount),
      violationCount: this.#violations.length,
      elapsedMs: this.#elapsedMs,
      last: this.#last,
    });
  }

  async #untilAllLed(limitMs: number): Promise<boolean> {
    const sinceMs = nowMs();
    for (const endMs = sinceMs + limitMs; nowMs() < endMs && this.#violations.length === 0; await sleep(25)) {
      if (this.#unled(sinceMs).length === 0) return true;
    }
    return false;
  }

  /** Groups in which nobody has done a unit of work since then. */
  #unled(sinceMs: number): string[] {
    this.#members.poll();
    const alive = new Set(this.#members.alive().map(({ start }) => start.process));
    const led = new Set<string>();
    for (const { process, records } of this.#members.histories) {
      if (!alive.has(process)) continue;
      for (let at = records.length - 1; at >= 0 && records[at]!.atMs >= sinceMs; at -= 1) {
        const record = records[at]!;
        if (record.kind === 'unit') led.add(record.group);
      }
    }
    return this.#members.groups.filter((group) => !led.has(group));
  }
}

async function within(limitMs: number, what: string, result: Promise<void> | void): Promise<void> {
  const end = new AbortController();
  const late = sleep(limitMs, undefined, { signal: end.signal }).then(() => {
    throw new Error(`${what} after ${limitMs} ms`);
  });
  try {
    await Promise.race([result, late]);
  } finally {
    end.abort();
    late.catch(() => undefined);
  }
}
