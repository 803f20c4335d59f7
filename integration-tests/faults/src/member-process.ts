import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { forgetFaketime } from './faketime.js';
import type { MemberCommand, MemberNews, MemberStart } from './member-start.js';

const PROGRAM = fileURLToPath(new URL('./member.js', import.meta.url));
const PLANT = new URL('./plants/plant.js', import.meta.url).href;

/** One process of a member, as the driver holds it. */
export class MemberProcess {
  readonly start: MemberStart;
  readonly #child: ChildProcess;
  readonly #live: Promise<void>;
  /** Set before an end that was asked for; any other end is a failure of the run. */
  mayEnd = false;

  constructor(start: MemberStart, environment: Readonly<Record<string, string>>, onUnexpectedEnd: (how: string) => void) {
    this.start = start;
    this.#child = fork(PROGRAM, [JSON.stringify(start)], {
      execArgv: start.isPatched ? ['--import', PLANT] : [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, ...environment },
    });
    this.#live = new Promise((resolve) => {
      this.#child.on('message', (news: MemberNews) => {
        if (news === 'live') resolve();
      });
      this.#child.on('exit', (code, signal) => {
        forgetFaketime(this.#child.pid);
        if (!this.mayEnd) onUnexpectedEnd(signal ?? `exit code ${code}`);
        resolve();
      });
    });
    // A message to a process that has just died: its end is noticed anyway.
    this.#child.on('error', () => undefined);
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when its first session lives, or it has ended. */
  untilLive(): Promise<void> {
    return this.#live;
  }

  send(command: MemberCommand): void {
    if (this.#child.connected) this.#child.send(command);
  }

  async kill(): Promise<void> {
    if (!this.isAlive) return;
    this.mayEnd = true;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  /** Closes it in an orderly way; resolves when its process has ended: to what was wrong with that, or `null`. */
  async close(limitMs: number): Promise<string | null> {
    if (!this.isAlive) return null;
    this.mayEnd = true;
    const ended = once(this.#child, 'exit').then(([code, signal]) => (code === 0 ? null : String(signal ?? `exit code ${code}`)));
    const isLate = new AbortController();
    const late = sleep(limitMs, `not closed after ${limitMs} ms`, { signal: isLate.signal }).catch(() => null);
    this.send({ kind: 'close' });
    const problem = await Promise.race([ended, late]);
    isLate.abort();
    await this.kill();
    return problem;
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  /** Freezes it where it keeps nobody else out: `isBlocked` tells whether it does. */
  async freezeOutside(isBlocked: () => Promise<boolean>): Promise<void> {
    while (this.isAlive) {
      this.#child.kill('SIGSTOP');
      await sleep(10);
      if (!(await isBlocked())) return;
      this.thaw();
      await sleep(2 + Math.random() * 10);
    }
  }
}
