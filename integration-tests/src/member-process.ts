import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { MemberCommand, MemberMessage, MemberStart } from './member-messages.js';

/** The built one: a process cannot import TypeScript. */
const PROGRAM = new URL('../dist/processes/member.js', import.meta.url);

/** A message, and when it came, on this process's monotonic clock. */
export interface Told {
  readonly atMs: number;
  readonly message: MemberMessage;
}

/** A member's process, and all that it told. */
export class MemberProcess {
  readonly memberId: string;
  readonly told: Told[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();

  /** @param environment On top of this process's own. */
  constructor(start: MemberStart, environment: NodeJS.ProcessEnv = {}) {
    this.memberId = start.memberId;
    this.#child = fork(PROGRAM, [JSON.stringify(start)], { env: { ...process.env, ...environment } });
    this.#child.on('message', (message: MemberMessage) => {
      this.told.push({ atMs: performance.now(), message });
      for (const look of this.#waiting) look();
    });
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with the first message that `isIt`, from number `from` on: a signal, not a pause. */
  async until(isIt: (message: MemberMessage) => boolean, from: number = 0): Promise<Told> {
    return await new Promise((resolve) => {
      const look = (): void => {
        const found = this.told.slice(from).find(({ message }) => isIt(message));
        if (!found) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name);
  }

  /** Lets one that is held back begin at `atMs`, in ms since 1970. */
  begin(atMs: number): void {
    this.#child.send({ kind: 'begin', atMs } satisfies MemberCommand);
  }

  /** Closes it in an orderly way; resolves with its exit code when it has ended by itself. */
  async close(): Promise<number | null> {
    const ended = once(this.#child, 'exit');
    this.#child.send({ kind: 'close' } satisfies MemberCommand);
    const [code] = (await ended) as [number | null];
    return code;
  }

  /** Resolves with its exit code, or the signal that ended it, when it is gone. */
  async gone(): Promise<number | string | null> {
    if (this.isAlive) await once(this.#child, 'exit');
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  /** Makes sure that it is gone. */
  async end(): Promise<void> {
    if (!this.isAlive) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
