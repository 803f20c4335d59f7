import { setTimeout as sleep } from 'node:timers/promises';
import type { InjectedFault } from './injected-fault.js';
import { nowMs } from './machine-time.js';
import type { MemberFault } from './member-fault.js';
import type { MemberProcess } from './member-process.js';
import type { Members } from './members.js';
import type { PlannedFault, Round } from './nemesis-plan.js';
import type { ServerFault } from './target.js';

export type AnyFault = (MemberFault & { readonly of: 'member' }) | (ServerFault & { readonly of: 'server' });

/** How long an injection, and its end, may take, in ms: programs and servers have to start. */
const FAULT_LIMIT_MS = 120_000;

/** Brings about what was planned, and remembers it. What it cannot bring about ends the run: see {@link Nemesis.failure}. */
export class Nemesis {
  /** In the order in which they began. Those that are not over yet have no end. */
  readonly faults: { -readonly [K in keyof InjectedFault]: InjectedFault[K] }[] = [];
  /** What was injected last. */
  last = 'begins';
  readonly #members: Members;
  readonly #onFault: () => void;
  /** Members that suffer from something: one thing at a time, of each. */
  readonly #suffering = new Set<string>();
  #serverSuffers: Promise<void> = Promise.resolve();
  #failure: Error | null = null;

  constructor(members: Members, onFault: () => void) {
    this.#members = members;
    this.#onFault = onFault;
  }

  /** The first fault that could not be injected or ended: a server that does not come back, say. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** One fault, from its beginning to its end. */
  async strikeOnce(fault: PlannedFault<AnyFault>): Promise<void> {
    await this.#strike(fault, new AbortController().signal);
  }

  /** Many faults at once; resolves when all of them are over. `isOver` ends it before its time. */
  async storm({ faults }: Round<AnyFault>, isOver: () => boolean): Promise<void> {
    const startedAtMs = nowMs();
    const end = new AbortController();
    const running: Promise<void>[] = [];
    for (const fault of faults) {
      await sleep(Math.max(0, startedAtMs + fault.atMs - nowMs()));
      if (this.#failure !== null || isOver()) break;
      running.push(this.#strike(fault, end.signal));
    }
    end.abort();
    await Promise.all(running);
  }

  /** Never rejects: many may be under way. */
  async #strike(planned: PlannedFault<AnyFault>, signal: AbortSignal): Promise<void> {
    const { fault } = planned;
    if (fault.of === 'member') {
      await this.#strikeMember(fault, planned, signal);
      return;
    }
    // One at a time: the next waits until the database has recovered from the last, or until the storm is over.
    this.#serverSuffers = this.#serverSuffers.then(async () => {
      if (signal.aborted || this.#failure !== null) return;
      await this.#inject(fault, null, planned.forMs, () => fault.inject(), signal);
    });
    await this.#serverSuffers;
  }

  async #strikeMember(fault: MemberFault, planned: PlannedFault<AnyFault>, signal: AbortSignal): Promise<void> {
    const { forMs, dice } = planned;
    const process = this.#victim(planned.member, fault.isForLeaders ?? planned.aimsAtLeader);
    if (process === undefined) return;
    const name = process.start.member;
    this.#suffering.add(name);
    await this.#inject(fault, name, forMs, () => fault.inject({ process, members: this.#members, forMs, dice }), signal);
    this.#suffering.delete(name);
  }

  #victim(member: number, aimsAtLeader: boolean): MemberProcess | undefined {
    this.#members.poll();
    const { names } = this.#members;
    const place = (process: MemberProcess): number => (names.indexOf(process.start.member) - member + names.length) % names.length;
    const candidates = this.#members
      .alive()
      .filter((process) => !this.#suffering.has(process.start.member))
      .toSorted((a, b) => place(a) - place(b));
    const leader = aimsAtLeader ? candidates.find((process) => this.#members.ledBy(process).length > 0) : undefined;
    return leader ?? candidates[0];
  }

  async #inject(
    { kind, ...fault }: MemberFault | ServerFault,
    member: string | null,
    forMs: number,
    inject: () => Promise<() => Promise<void> | void>,
    signal: AbortSignal,
  ): Promise<void> {
    const movesClock = 'movesClock' in fault && fault.movesClock;
    const injected = { kind, member, fromMs: nowMs(), untilMs: Infinity, settledAtMs: Infinity, movesClock };
    this.faults.push(injected);
    const title = member === null ? kind : `${kind}: ${member}`;
    this.last = title;
    this.#onFault();
    try {
      const heal = await within(FAULT_LIMIT_MS, `${kind} was not injected`, inject());
      if ('sparesOthers' in fault && fault.sparesOthers) injected.settledAtMs = nowMs();
      await sleep(forMs, undefined, { signal }).catch(() => undefined);
      await within(FAULT_LIMIT_MS, `${kind} was not over`, heal());
      injected.untilMs = nowMs();
      injected.settledAtMs = Math.min(injected.settledAtMs, injected.untilMs);
    } catch (error) {
      this.#failure ??= new Error(`${title}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

async function within<T>(limitMs: number, what: string, result: Promise<T> | T): Promise<T> {
  const end = new AbortController();
  const late = sleep(limitMs, undefined, { signal: end.signal }).then((): never => {
    throw new Error(`${what} after ${limitMs} ms`);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    end.abort();
    late.catch(() => undefined);
  }
}
