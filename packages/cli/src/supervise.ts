import { constants } from 'node:os';
import { LeadershipEndedError, type Coordinator, type Timings, type WorkContext } from '@wb/core';
import { machineClock, pause } from './clock.js';
import { EXIT } from './cli-error.js';
import type { CommandEnd, Keeper } from './keeper.js';
import { renewMsOf } from './kill-after.js';

/** What follows the end of COMMAND. */
export const ON_EXIT: readonly ['auto', 'exit', 'yield', 'restart'] = Object.freeze(['auto', 'exit', 'yield', 'restart'] as const);

/** One of {@link ON_EXIT}. `auto`: `exit` after exit code 0, `yield` after any other. */
export type OnExit = (typeof ON_EXIT)[number];

/** What to supervise. */
export interface Supervision {
  readonly coordinator: Coordinator;
  readonly keeper: Keeper;
  readonly timings: Timings;
  readonly groupId: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly onExit: OnExit;
  readonly killAfterMs: number;
  /** How long COMMAND has to end after a signal that stops it while the lease is held, in ms. */
  readonly stopTimeoutMs: number;
  /** Tells the user. */
  readonly log: (line: string) => void;
}

/** These stop `wb`, and are passed on to COMMAND. */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
/** These are only passed on. */
const PASSED_ON = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;

const RESTART_MIN_MS = 100;
const RESTART_MAX_MS = 30_000;
/** COMMAND that ran for that long was not failing at its start: the back-off begins anew. */
const HEALTHY_MS = 10_000;

/** COMMAND ended, and another member is to have the group. */
class CommandEndedError extends Error {}

/** Contends for the group, runs COMMAND while leading, and resolves to the exit code of `wb`. */
export async function supervise(supervision: Supervision): Promise<number> {
  const { coordinator, keeper, timings, groupId, stopTimeoutMs, onExit, log } = supervision;
  const stop = new AbortController();
  let stopSignal: NodeJS.Signals | null = null;
  let isRunning = false;
  let exitCode: number | null = null;

  const onStopping = (signal: NodeJS.Signals): void => {
    // A second one is passed on, too: Ctrl-C twice is how many programs are told to hurry.
    if (stopSignal !== null && isRunning) keeper.signal(signal);
    stopSignal ??= signal;
    stop.abort();
  };
  const passOn = (signal: NodeJS.Signals): void => {
    if (isRunning) keeper.signal(signal);
  };
  for (const signal of STOPPING) process.on(signal, onStopping);
  for (const signal of PASSED_ON) process.on(signal, passOn);

  const runOnce = async ({ term, memberId, signal, lease }: WorkContext): Promise<CommandEnd> => {
    let killTimer = machineClock.schedule(0, () => undefined);
    const onAbort = (): void => {
      if (isLost(signal.reason)) {
        keeper.kill();
        return;
      }
      keeper.signal(stopSignal ?? 'SIGTERM');
      killTimer = machineClock.schedule(stopTimeoutMs, () => {
        log(`COMMAND has not ended within ${stopTimeoutMs / 1_000} s: killed`);
        keeper.kill();
      });
    };
    isRunning = true;
    // The keeper does as it is told in order, so an abort from now on comes after the start.
    const ended = keeper.run({
      command: supervision.command,
      args: supervision.args,
      env: { WB_GROUP: groupId, WB_TERM: String(term), WB_MEMBER: memberId },
      lease,
      killAfterMs: supervision.killAfterMs,
      renewMs: renewMsOf(timings),
      signalNumber: (name) => constants.signals[name],
      onStart: (pid) => log(`leading in term ${term}, COMMAND is process ${pid}`),
    });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      return await ended;
    } finally {
      isRunning = false;
      signal.removeEventListener('abort', onAbort);
      killTimer.cancel();
    }
  };

  const work = async (context: WorkContext): Promise<void> => {
    for (let failureCount = 0; ; failureCount += 1) {
      const beganAtMs = machineClock.now().monotonicMs;
      const end = await runOnce(context);
      const text = describe(end, supervision.command);
      if (context.signal.aborted) {
        log(`${text}, as leadership ended`);
        exitCode = end.exitCode;
        return;
      }
      if (end.isTrustLow) throw new CommandEndedError(`${text}: the database did not answer, and the lease was about to expire`);
      const isFinal = !end.isStarted || onExit === 'exit' || (onExit === 'auto' && end.exitCode === 0);
      if (isFinal) {
        log(text);
        exitCode = end.exitCode;
        stop.abort();
        return;
      }
      if (onExit !== 'restart') throw new CommandEndedError(text);
      if (machineClock.now().monotonicMs - beganAtMs >= HEALTHY_MS) failureCount = 0;
      const waitMs = Math.min(RESTART_MAX_MS, RESTART_MIN_MS * 2 ** failureCount);
      log(`${text}; starting it again in ${waitMs / 1_000} s`);
      await pauseUnless(context.signal, waitMs);
      if (context.signal.aborted) return;
    }
  };

  try {
    await coordinator.lead(groupId, work, {
      signal: stop.signal,
      onEnd: 'contend',
      onError: 'contend',
      // `wb` kills what does not end; this only reports what even that did not end.
      settleDeadlineMs: stopTimeoutMs + 5_000,
    });
  } finally {
    for (const signal of STOPPING) process.off(signal, onStopping);
    for (const signal of PASSED_ON) process.off(signal, passOn);
  }
  return exitCode ?? (stopSignal === null ? EXIT.failed : EXIT.signal + constants.signals[stopSignal]);
}

function isLost(reason: unknown): boolean {
  return reason instanceof LeadershipEndedError && ['expired', 'lost-trust', 'lost-lease'].includes(reason.reason);
}

async function pauseUnless(signal: AbortSignal, ms: number): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([pause(ms), aborted]);
}

function describe({ exitCode, isStarted }: CommandEnd, command: string): string {
  if (!isStarted) return `${JSON.stringify(command)} ${exitCode === EXIT.notFound ? 'was not found' : 'cannot be run'}`;
  const name = Object.entries(constants.signals).find(([, number]) => number === exitCode - EXIT.signal)?.[0];
  return name === undefined ? `COMMAND ended with exit code ${exitCode}` : `COMMAND was ended by ${name}`;
}
