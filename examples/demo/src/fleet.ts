import { MemberProcess } from './member-process.js';
import type { DriverMessage, MemberMessage } from './messages.js';
import type { Place } from './targets/target.js';

/** How long the driver waits for any one thing, in ms. Everything that it waits for takes a few seconds at most. */
const WAIT_LIMIT_MS = 15_000;

/** A message, and whose it is. */
export interface Report {
  readonly memberId: string;
  readonly message: MemberMessage;
}

/** What the fleet is made of. */
export interface FleetParts {
  readonly place: Place;
  readonly isFenced: boolean;
  /** Ends every wait. */
  readonly signal: AbortSignal;
  readonly onReport: (report: Report) => void;
  /** A member ended that should not have. */
  readonly onDeath: (memberId: string, how: string) => void;
}

/** The members' processes, and all that they have reported. */
export class Fleet {
  readonly #parts: FleetParts;
  readonly #members = new Map<string, MemberProcess>();
  readonly #reports: Report[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(parts: FleetParts) {
    this.#parts = parts;
  }

  /** How many reports there are: a place to look from, for {@link until}. */
  get reportCount(): number {
    return this.#reports.length;
  }

  /** Starts a member, also one that has died: the same name, a new process, a new session. */
  start(memberId: string): MemberProcess {
    const member = new MemberProcess({ memberId, ...this.#parts }, (message) => {
      const report: Report = { memberId, message };
      this.#reports.push(report);
      this.#parts.onReport(report);
      for (const look of this.#watchers) look();
    });
    void member.ended.then((how) => {
      if (!member.mayEnd) this.#parts.onDeath(memberId, how);
    });
    this.#members.set(memberId, member);
    return member;
  }

  member(memberId: string): MemberProcess {
    const member = this.#members.get(memberId);
    if (!member) throw new Error(`${memberId} was never started`);
    return member;
  }

  tellAll(message: DriverMessage): void {
    for (const member of this.#members.values()) if (member.isAlive) member.send(message);
  }

  /** Resolves with the first report, from the one numbered `from` on, that `pick` makes something of. */
  async until<T>(what: string, from: number, pick: (report: Report) => T | undefined): Promise<T> {
    const { signal } = this.#parts;
    let seenCount = from;
    return await new Promise<T>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        signal.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      const look = (): void => {
        for (; seenCount < this.#reports.length; seenCount++) {
          const picked = pick(this.#reports[seenCount]!);
          if (picked === undefined) continue;
          end();
          resolve(picked);
          return;
        }
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`waited ${WAIT_LIMIT_MS / 1_000} s in vain: ${what}`));
      }, WAIT_LIMIT_MS);
      this.#watchers.add(look);
      signal.addEventListener('abort', abort);
      if (signal.aborted) abort();
      else look();
    });
  }

  /** Asks every member to leave, the standbys first, so that nobody takes over for nothing; resolves with how each ended. */
  async dismiss(leaderId: string): Promise<ReadonlyMap<string, string>> {
    const ends = new Map<string, string>();
    const standbys = [...this.#members.values()].filter(({ memberId }) => memberId !== leaderId);
    for (const part of [standbys, [this.member(leaderId)]]) {
      for (const member of part) {
        member.mayEnd = true;
        member.send({ kind: 'stop' });
      }
      for (const member of part) ends.set(member.memberId, await member.ended);
    }
    return ends;
  }

  /** Ends what is left, frozen or not. Synchronous: it must work while this process exits. */
  kill(): void {
    for (const member of this.#members.values()) {
      member.mayEnd = true;
      if (member.isAlive) member.signal('SIGKILL');
    }
  }
}
