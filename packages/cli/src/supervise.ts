import { constants } from 'node:os';
import { LeadershipEndedError, type BackOffOptions, type Coordinator, type Timings, type WorkContext } from '@wb/core';
import { machineClock, pauseUnless } from './clock.js';
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
  /** Tells the user how things go. */
  readonly log: (line: string) => void;
  /** Tells the user what is wrong. */
  readonly warn: (line: string) => void;
}

/** These stop `wb`, and are passed on to COMMAND. */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
/** These are only passed on. */
const PASSED_ON = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;

const RESTART_MIN_MS = 100;
const RESTART_MAX_MS = 30_000;
/** COMMAND that ran for that long was not failing at its start: the back-off begins anew. */
const HEALTHY_MS = 10_000;
/** What may pass by itself: this machine has no process, file or memory to spare. */
const PASSING_START_FAULTS: readonly string[] = ['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'];

/** COMMAND ended, and not well. */
class CommandFailedError extends Error {}

/** Contends for the group, runs COMMAND while leading, and resolves to the exit code of `wb`. */
export async function supervise(supervision: Supervision): Promise<number> {
  const { coordinator, keeper, timings, groupId, stopTimeoutMs, onExit, log, warn } = supervision;
  const stop = new AbortController();
  let stopSignal: NodeJS.Signals | null = null;
  let isRunning = false;
  /** COMMAND has been told to end. */
  let isEnding = false;
  /** Set by the end of COMMAND that is also that of `wb`. */
  let exitCode: number | null = null;

  const onStopping = (signal: NodeJS.Signals): void => {
    // What ends already has not had this one yet. A second one is passed on, too: Ctrl-C twice is how many programs are told to hurry.
    if (isRunning && isEnding) keeper.signal(signal);
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
      isEnding = true;
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
    isEnding = false;
    // The keeper does as it is told in order, so an abort from now on comes after the start.
    const ended = keeper.run({
      command: supervision.command,
      args: supervision.args,
      env: { WB_GROUP: groupId, WB_TERM: String(term), WB_MEMBER: memberId },
      lease,
      killAfterMs: supervision.killAfterMs,
      renewMs: renewMsOf(timings),
      onStart: (pid) => log(`leading in term ${term}, COMMAND is process ${pid}`),
      onTrustLow: (isLow) =>
        log(isLow ? 'the lease is about to expire: COMMAND gets SIGTERM' : 'the lease is trusted again, and COMMAND works on'),
      onNotPermitted: (name) => warn(`COMMAND runs as another user and cannot be sent ${name}: the lease is kept until it ends by itself`),
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

  /** Returns when COMMAND ended well, throws when it did not: that is the reason in the history. */
  const work = async (context: WorkContext): Promise<void> => {
    for (let failureCount = 0; ; failureCount += 1) {
      const beganAtMs = machineClock.now().monotonicMs;
      const end = await runOnce(context);
      const text = describe(end, supervision.command);
      if (context.signal.aborted) {
        log(`${text}, as leadership ended`);
        // Told to stop, `wb` ends as COMMAND did. Otherwise this member only stands by again.
        if (stopSignal !== null) exitCode = end.exitCode;
        return;
      }
      if (end.isTrustLow) throw new CommandFailedError(`${text}: the database did not answer, and the lease was about to expire`);
      const isWell = end.startFault === null && end.exitCode === 0;
      const isFinal =
        end.startFault === null ? onExit === 'exit' || (onExit === 'auto' && isWell) : !PASSING_START_FAULTS.includes(end.startFault);
      if (isFinal) exitCode = end.exitCode;
      if (isFinal || onExit !== 'restart') {
        if (end.startFault !== null) warn(text);
        if (!isWell) throw new CommandFailedError(text);
        log(text);
        return;
      }
      if (machineClock.now().monotonicMs - beganAtMs >= HEALTHY_MS) failureCount = 0;
      const waitMs = Math.min(RESTART_MAX_MS, RESTART_MIN_MS * 2 ** failureCount);
      log(`${text}; starting it again in ${waitMs / 1_000} s`);
      await pauseUnless(context.signal, waitMs);
      if (context.signal.aborted) return;
    }
  };

  // Only once the machine knows how COMMAND ended: were it stopped before, that would be the reason.
  const off = coordinator.on('group', ({ to }) => {
    if (to === 'yielding' && exitCode !== null) stop.abort();
  });
  try {
    await coordinator.lead(groupId, work, {
      signal: stop.signal,
      onEnd: 'contend',
      onError: 'contend',
      backOff: backOff(timings),
      // `wb` kills what does not end; this only reports what even that did not end.
      settleDeadlineMs: stopTimeoutMs + 5_000,
    });
  } finally {
    off();
    for (const signal of STOPPING) process.off(signal, onStopping);
    for (const signal of PASSED_ON) process.off(signal, passOn);
  }
  return exitCode ?? (stopSignal === null ? EXIT.failed : EXIT.signal + constants.signals[stopSignal]);
}

/** How long this member lets the others go first after COMMAND has ended: also after exit code 0, a healthy standby may need two heartbeats to notice (F4). */
function backOff({ heartbeatMs }: Timings): Required<BackOffOptions> {
  const minMs = 2 * heartbeatMs;
  // The longest one is also how long COMMAND must have run for the back-off to begin anew.
  return { minMs, maxMs: Math.max(HEALTHY_MS, minMs), factor: 2 };
}

function isLost(reason: unknown): boolean {
  return reason instanceof LeadershipEndedError && ['expired', 'lost-trust', 'lost-lease'].includes(reason.reason);
}

function describe({ exitCode, startFault }: CommandEnd, command: string): string {
  if (startFault !== null) {
    return startFault === 'ENOENT'
      ? `${JSON.stringify(command)} was not found`
      : `${JSON.stringify(command)} cannot be run (${startFault})`;
  }
  const name = Object.entries(constants.signals).find(([, number]) => number === exitCode - EXIT.signal)?.[0];
  return name === undefined ? `COMMAND ended with exit code ${exitCode}` : `COMMAND was ended by ${name}`;
}
