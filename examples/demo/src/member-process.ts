import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DriverMessage, MemberMessage } from './messages.js';
import type { Place } from './targets/target.js';

const PROGRAM = fileURLToPath(new URL('./member.js', import.meta.url));

/** What a member is started with. */
export interface MemberStart {
  readonly memberId: string;
  readonly place: Place;
  readonly isFenced: boolean;
}

/** One member's process, as the driver holds it. */
export class MemberProcess {
  readonly memberId: string;
  readonly pid: number;
  /** Resolves when the process has ended: with its signal or exit code, for people. */
  readonly ended: Promise<string>;
  /** Set before an end that is part of the play. */
  mayEnd = false;
  readonly #child: ChildProcess;

  constructor({ memberId, place, isFenced }: MemberStart, onMessage: (message: MemberMessage) => void) {
    const child = fork(PROGRAM, [memberId, JSON.stringify(place), isFenced ? 'fenced' : 'unfenced'], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    if (child.pid === undefined) throw new Error(`${memberId} could not be started`);
    this.memberId = memberId;
    this.pid = child.pid;
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    child.on('message', onMessage);
    // A message to a process that has just died: its end is noticed anyway.
    child.on('error', () => undefined);
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  send(message: DriverMessage): void {
    this.#child.send(message);
  }

  /** Sends a signal to this process, by its pid, as long as that is still its own. */
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name);
  }
}
