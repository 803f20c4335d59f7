import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { MemberCommand, MemberMessage, MemberStart } from './messages.js';

const PROGRAM = new URL('./member.js', import.meta.url);
/** How long anything may take that a benchmark waits for, in ms. */
const LIMIT_MS = 20_000;

type Kind = MemberMessage['kind'];

/** A member's process, as its parent sees it. */
export class MemberProcess {
  readonly memberId: string;
  readonly #child: ChildProcess;
  readonly #told: MemberMessage[] = [];
  readonly #looks = new Set<() => void>();

  constructor(start: MemberStart) {
    this.memberId = start.memberId;
    this.#child = fork(PROGRAM, [JSON.stringify(start)]);
    this.#child.on('message', (message: MemberMessage) => {
      this.#told.push(message);
      for (const look of this.#looks) look();
    });
  }

  /** How much it has told so far. */
  get toldCount(): number {
    return this.#told.length;
  }

  hasTold(kind: Kind, from: number): boolean {
    return this.#told.slice(from).some((message) => message.kind === kind);
  }

  /**
   * The first message of a kind after the first `from`; for ever pending once `given` aborts.
   * @throws Error if it does not come.
   */
  async until<K extends Kind>(kind: K, from: number, given?: AbortSignal): Promise<Extract<MemberMessage, { kind: K }>> {
    return await new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(limit);
        this.#looks.delete(look);
      };
      const limit = setTimeout(() => {
        stop();
        const told = this.#told.slice(from).slice(0, 10);
        reject(new Error(`${this.memberId} has not told ${kind} within ${LIMIT_MS} ms; since then it has told ${JSON.stringify(told)}`));
      }, LIMIT_MS);
      const look = (): void => {
        const found = this.#told.slice(from).find((message) => message.kind === kind);
        if (found === undefined) return;
        stop();
        resolve(found as Extract<MemberMessage, { kind: K }>);
      };
      given?.addEventListener('abort', stop);
      this.#looks.add(look);
      look();
    });
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name);
  }

  tell(command: MemberCommand): void {
    this.#child.send(command);
  }

  /** Makes sure that it is gone. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
