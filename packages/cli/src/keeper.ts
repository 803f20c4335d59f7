import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Lease } from '@wb/core';
import { machineClock } from './clock.js';
import { CliError, EXIT } from './cli-error.js';
import type { KeeperReport, KeeperRequest } from './keeper-messages.js';

/** How COMMAND ended. */
export interface CommandEnd {
  /** Its exit code, or 128 + the number of the signal that ended it, or 126 or 127 when it could not be started. */
  readonly exitCode: number;
  readonly isStarted: boolean;
  /** SIGTERM was sent because the trust in the lease was about to end. */
  readonly isTrustLow: boolean;
}

/** What to run, and how. */
export interface CommandStart {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly lease: Lease;
  readonly killAfterMs: number;
  /** How often the lease is looked at, in ms. */
  readonly renewMs: number;
  readonly signalNumber: (signal: NodeJS.Signals) => number;
  readonly onStart: (pid: number) => void;
}

/** The keeper process, as `wb` sees it: see `keeper-process.ts`. One for the life of `wb`, started before it is needed. */
export class Keeper {
  readonly #process: ChildProcess;
  #pid: number | null = null;
  #onReport: ((report: KeeperReport) => void) | null = null;

  private constructor(process: ChildProcess) {
    this.#process = process;
    process.on('message', (report: KeeperReport) => this.#onReport?.(report));
  }

  /**
   * Starts it, and resolves when it listens.
   * @param onLost It has died, which only a signal can make it do. COMMAND's group has been killed. Called at most once, and not after {@link Keeper.end}.
   */
  static async start(onLost: () => void): Promise<Keeper> {
    const script = fileURLToPath(new URL('keeper-process.js', import.meta.url));
    if (!existsSync(script)) throw new CliError(`${script} is missing: the package is not whole`, { hint: 'install @wb/cli again' });
    const child = fork(script, [], { detached: true, stdio: ['inherit', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    const keeper = new Keeper(child);
    await new Promise<void>((resolve, reject) => {
      keeper.#onReport = () => resolve();
      child.once('error', reject);
      child.once('exit', () => reject(new CliError('the keeper process ended before it was ready')));
    });
    child.once('exit', () => {
      keeper.kill();
      onLost();
    });
    return keeper;
  }

  /** Runs COMMAND while the lease is trusted, and resolves when neither it nor anything in its process group is left. */
  run({ command, args, env, lease, killAfterMs, renewMs, signalNumber, onStart }: CommandStart): Promise<CommandEnd> {
    return new Promise((resolve) => {
      let isTrustLow = false;
      let renewal = machineClock.schedule(renewMs, () => renew());
      const renew = (): void => {
        this.#send({ kind: 'renew', deadline: deadlineOf(lease) });
        renewal = machineClock.schedule(renewMs, renew);
      };
      const end = (exitCode: number, isStarted: boolean): void => {
        renewal.cancel();
        this.#pid = null;
        this.#onReport = null;
        resolve({ exitCode, isStarted, isTrustLow });
      };
      this.#onReport = (report) => {
        if (report.kind === 'started') {
          this.#pid = report.pid;
          onStart(report.pid);
        } else if (report.kind === 'terminated') isTrustLow = true;
        else if (report.kind === 'not-started') end(report.code === 'ENOENT' ? EXIT.notFound : EXIT.cannotRun, false);
        else if (report.kind === 'exited') end(report.signal === null ? report.exitCode! : EXIT.signal + signalNumber(report.signal), true);
      };
      this.#send({ kind: 'start', command, args, env, deadline: deadlineOf(lease), killAfterMs });
    });
  }

  /** Sends a signal to COMMAND's process group, if it runs. */
  signal(signal: NodeJS.Signals): void {
    this.#send({ kind: 'signal', signal });
  }

  /** Kills COMMAND's process group at once, and not by way of the keeper, which may be frozen. */
  kill(): void {
    // And by way of it, for a COMMAND that it is about to start.
    this.signal('SIGKILL');
    if (this.#pid === null) return;
    try {
      process.kill(-this.#pid, 'SIGKILL');
    } catch (error) {
      if (Reflect.get(error as Error, 'code') !== 'ESRCH') throw error;
    }
  }

  /** Ends the keeper. COMMAND must have ended. */
  end(): void {
    this.#process.removeAllListeners('exit');
    if (this.#process.connected) this.#process.disconnect();
    this.#process.unref();
  }

  #send(request: KeeperRequest): void {
    if (this.#process.connected) this.#process.send(request, () => undefined);
  }
}

/** When the trust in the lease ends, unless there is another heartbeat. */
function deadlineOf(lease: Lease): { monotonicMs: number; wallMs: number } {
  // The clocks first: a pause between the two makes the deadline earlier, never later.
  const now = machineClock.now();
  const remainingMs = lease.remainingMs();
  return { monotonicMs: now.monotonicMs + remainingMs, wallMs: now.wallMs + remainingMs };
}
