import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { check, type Verdict, type Violation } from './checker.js';
import { createHistory, readHistory, type ProcessHistory } from './history.js';
import { nowMs } from './machine-time.js';
import { MemberProcess } from './member-process.js';
import { seededRandom } from './random.js';
import type { TargetServer } from './target.js';
import { targets } from './targets/index.js';

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
  /** Called after each fault, and while nothing happens now and then. */
  readonly onProgress?: (progress: Progress) => void;
}

/** How a run goes. */
export interface Progress {
  readonly faultCount: number;
  readonly elapsedMs: number;
  readonly last: string;
}

/** One fault as it was injected. */
export interface InjectedFault {
  readonly kind: string;
  readonly member: string | null;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** What a run came to. */
export interface FaultRunResult extends Verdict {
  readonly target: string;
  readonly seed: number;
  readonly faults: readonly InjectedFault[];
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly takeoverCount: number;
  /** How long it took until every group was led, each time that the faults had stopped, in ms. */
  readonly recoveryMs: readonly number[];
  readonly groups: readonly string[];
}

/** What T9 allows beside the TTL and a heartbeat, in ms: starting processes and doing the work takes time on a busy machine. */
const RECOVERY_SLACK_MS = 1_500;

/** Starts members over a target, breaks things at random, lets everything recover now and then, and checks what everyone saw. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRunResult> {
  const { target, seed, durationMs, directory } = options;
  mkdirSync(directory, { recursive: true });
  const server = await targets[target]!.start();
  const run = new FaultRun(options, server);
  try {
    await run.begin();
    while (run.elapsedMs < durationMs && run.failure === null) {
      // A storm, and then a calm in which everything must work again (T9).
      await run.storm(Math.min(durationMs - run.elapsedMs, 6 * options.ttlMs));
      await run.calm();
    }
    await run.end();
    const verdict = check(run.histories(), await server.readLedger());
    return {
      ...verdict,
      violations: [...verdict.violations, ...run.violations],
      target,
      seed,
      faults: run.faults,
      startedAtMs: run.startedAtMs,
      endedAtMs: nowMs(),
      takeoverCount: verdict.leaderships.length - run.groups.length,
      recoveryMs: run.recoveryMs,
      groups: run.groups,
    };
  } finally {
    await run.killAll();
    await server.stop();
  }
}

class FaultRun {
  readonly groups: readonly string[];
  readonly faults: InjectedFault[] = [];
  readonly violations: Violation[] = [];
  readonly recoveryMs: number[] = [];
  readonly startedAtMs: number = nowMs();
  failure: string | null = null;
  readonly #options: FaultRunOptions;
  readonly #server: TargetServer;
  readonly #random: () => number;
  readonly #processes: MemberProcess[] = [];
  #processCount = 0;

  constructor(options: FaultRunOptions, server: TargetServer) {
    this.#options = options;
    this.#server = server;
    this.#random = seededRandom(options.seed);
    this.groups = Array.from({ length: options.groupCount }, (_, at) => `group-${at + 1}`);
  }

  get elapsedMs(): number {
    return nowMs() - this.startedAtMs;
  }

  async begin(): Promise<void> {
    for (let at = 0; at < this.#options.memberCount; at += 1) this.#start(`node-${at + 1}`);
    await this.#untilAllLed(30_000);
  }

  /** Faults, several at a time, for `forMs`. */
  async storm(forMs: number): Promise<void> {
    const { ttlMs } = this.#options;
    const end = new AbortController();
    const running: Promise<void>[] = [];
    for (const endMs = nowMs() + forMs; nowMs() < endMs && this.failure === null;) {
      running.push(this.#strike(end.signal));
      await sleep(this.#random() * ttlMs * 0.5);
    }
    end.abort();
    await Promise.all(running);
    for (const process of this.#alive()) if (process.isFrozen) process.thaw();
    this.#refill();
  }

  /** No faults: every group must have a leader within a TTL and a heartbeat. */
  async calm(): Promise<void> {
    const { ttlMs } = this.#options;
    const startedAtMs = nowMs();
    const limitMs = ttlMs + this.#heartbeatMs + RECOVERY_SLACK_MS;
    if (await this.#untilAllLed(limitMs)) this.recoveryMs.push(nowMs() - startedAtMs);
    else
      this.violations.push({
        rule: 'T9',
        message: `${this.#unled(startedAtMs).join(', ')} had no leader ${limitMs.toFixed(0)} ms after the last fault`,
      });
  }

  async end(): Promise<void> {
    await Promise.all(this.#alive().map((process) => process.close()));
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()));
  }

  histories(): ProcessHistory[] {
    return this.#processes.map(({ start }) => readHistory(start.process, start.historyPath));
  }

  get #heartbeatMs(): number {
    return this.#options.ttlMs / 5;
  }

  async #strike(signal: AbortSignal): Promise<void> {
    const random = this.#random;
    const { ttlMs } = this.#options;
    const process = this.#pick(this.#alive().filter((each) => !each.mayEnd && !each.isFrozen));
    if (!process) {
      this.#refill();
      return;
    }
    const { member } = process.start;
    const choices: [string, () => Promise<void>][] = [
      ['killed', () => this.#killed(process, random() * ttlMs, signal)],
      ['frozen', () => this.#frozen(process, random() < 0.5 ? random() * ttlMs : ttlMs * (0.9 + random() * 0.6), signal)],
      ['frozen', () => this.#frozen(process, ttlMs * (0.9 + random() * 0.6), signal)],
      ['blocked', () => this.#blocked(process, random() * 1.3 * ttlMs, signal)],
      ['closed', () => this.#closed(process)],
      ['resigns', () => this.#resigned(process)],
      ['a twin', () => this.#twin(process, random() * 2 * ttlMs, signal)],
      ...this.#server.faults(member, random, ttlMs).flatMap((fault): [string, () => Promise<void>][] => [
        [fault.kind, () => fault.strike(signal)],
        [fault.kind, () => fault.strike(signal)],
      ]),
    ];
    const [kind, act] = this.#pick(choices)!;
    const fromMs = nowMs();
    this.#options.onProgress?.({ faultCount: this.faults.length, elapsedMs: this.elapsedMs, last: `${kind}: ${member}` });
    try {
      await act();
    } catch (error) {
      // The storm is over.
      if (!signal.aborted) throw error;
    }
    this.faults.push({ kind, member, fromMs, untilMs: nowMs() });
  }

  async #killed(process: MemberProcess, downMs: number, signal: AbortSignal): Promise<void> {
    await process.kill();
    await sleep(downMs, undefined, { signal }).catch(() => undefined);
    // The same memberId: another incarnation (F10).
    this.#start(process.start.member);
  }

  async #frozen(process: MemberProcess, forMs: number, signal: AbortSignal): Promise<void> {
    await process.freezeOutside(() => this.#server.isBlockedByFrozen());
    await sleep(forMs, undefined, { signal }).catch(() => undefined);
    process.thaw();
  }

  async #blocked(process: MemberProcess, forMs: number, signal: AbortSignal): Promise<void> {
    process.send({ kind: 'block', forMs });
    await sleep(forMs, undefined, { signal }).catch(() => undefined);
  }

  async #closed(process: MemberProcess): Promise<void> {
    await process.close();
    this.#start(process.start.member);
  }

  #resigned(process: MemberProcess): Promise<void> {
    process.send({ kind: 'resign', group: this.#pick(this.groups)! });
    return Promise.resolve();
  }

  async #twin(process: MemberProcess, forMs: number, signal: AbortSignal): Promise<void> {
    const twin = this.#start(process.start.member);
    await sleep(forMs, undefined, { signal }).catch(() => undefined);
    await (this.#random() < 0.5 ? twin.kill() : twin.close());
  }

  #start(member: string): MemberProcess {
    const { ttlMs, directory, groupCount, plant = null } = this.#options;
    this.#processCount += 1;
    const name = `${member}.${this.#processCount}`;
    const historyPath = join(directory, `${name}.jsonl`);
    createHistory(historyPath);
    const process = new MemberProcess(
      {
        member,
        process: name,
        address: this.#server.addressFor(member),
        groups: this.groups,
        ttlMs,
        heartbeatMs: this.#heartbeatMs,
        unitMs: Math.max(15, groupCount * 3),
        historyPath,
        plant,
      },
      (ended, how) => {
        this.failure = `${ended.start.process} ended by itself: ${how}`;
        this.violations.push({ rule: 'T7', message: this.failure });
      },
    );
    this.#processes.push(process);
    return process;
  }

  /** Starts again whoever is missing. */
  #refill(): void {
    for (let at = 1; at <= this.#options.memberCount; at += 1) {
      const member = `node-${at}`;
      if (!this.#alive().some((process) => process.start.member === member && !process.mayEnd)) this.#start(member);
    }
  }

  #alive(): MemberProcess[] {
    return this.#processes.filter((process) => process.isAlive);
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  async #untilAllLed(limitMs: number): Promise<boolean> {
    const sinceMs = nowMs();
    for (const endMs = sinceMs + limitMs; nowMs() < endMs; await sleep(25)) {
      if (this.#unled(sinceMs).length === 0) return true;
    }
    return false;
  }

  /** Groups in which nobody has done a unit of work since then. */
  #unled(sinceMs: number): string[] {
    const led = new Set<string>();
    for (const process of this.#alive()) {
      const { records } = readHistory(process.start.process, process.start.historyPath);
      for (const record of records.slice(-50 * this.groups.length))
        if (record.kind === 'unit' && record.atMs >= sinceMs) led.add(record.group);
    }
    return this.groups.filter((group) => !led.has(group));
  }
}
