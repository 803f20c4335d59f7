import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Lease } from '@wb/core';
import { machineClock } from './clock.js';
import { CliError, EXIT } from './cli-error.js';
import type { KeeperReport, KeeperRequest } from './keeper-messages.js';
import { signalGroup } from './signal-group.js';

/** How COMMAND ended. */
export interface CommandEnd {
  /** Its exit code, or 128 + the number of the signal that ended it, or 126 or 127 when it could not be started. */
  readonly exitCode: number;
  /** Why it could not be started, such as `ENOENT`; `null`: it was. */
  readonly startFault: string | null;
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
  readonly onStart: (pid: number) => void;
  /** `true`: COMMAND has been sent SIGTERM, because the trust in the lease is about to end. `false`: it has not heeded that, and the lease is trusted again. */
  readonly onTrustLow: (isLow: boolean) => void;
  /** COMMAND runs as another user, and cannot be sent that signal, nor any other. */
  readonly onNotPermitted: (signal: NodeJS.Signals) => void;
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
    const lost = (): void => {
      keeper.kill();
      onLost();
    };
    child.once('exit', () => {
      // Its last reports may still be on their way: one of them may be the pid of what is to be killed.
      if (child.connected) child.once('disconnect', lost);
      else lost();
    });
    return keeper;
  }

  /** Runs COMMAND while the lease is trusted, and resolves when it has ended and what it left in its process group was killed. */
  run({ command, args, env, lease, killAfterMs, renewMs, onStart, onTrustLow, onNotPermitted }: CommandStart): Promise<CommandEnd> {
    return new Promise((resolve) => {
      let isTrustLow = false;
      let renewal = machineClock.schedule(renewMs, () => renew());
      const renew = (): void => {
        this.#send({ kind: 'renew', deadline: deadlineOf(lease) });
        renewal = machineClock.schedule(renewMs, renew);
      };
      const end = (exitCode: number, startFault: string | null): void => {
        renewal.cancel();
        this.#pid = null;
        this.#onReport = null;
        resolve({ exitCode, startFault, isTrustLow });
      };
      this.#onReport = (report) => {
        switch (report.kind) {
          case 'started':
            this.#pid = report.pid;
            onStart(report.pid);
            return;
          case 'terminated':
          case 'trusted-again':
            isTrustLow = report.kind === 'terminated';
            onTrustLow(isTrustLow);
            return;
          case 'not-permitted':
            onNotPermitted(report.signal);
            return;
          case 'not-started':
            end(report.code === 'ENOENT' ? EXIT.notFound : EXIT.cannotRun, report.code);
            return;
          case 'exited':
            end(report.signal === null ? report.exitCode! : EXIT.signal + constants.signals[report.signal], null);
            return;
          case 'ready':
        }
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
    // And by way of it, for a COMMAND that it is about to start. It tells when that is not permitted.
    this.signal('SIGKILL');
    if (this.#pid !== null) signalGroup(this.#pid, 'SIGKILL');
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
