/**
 * The keeper: a small process between `wb` and COMMAND, and COMMAND's parent. It makes sure that COMMAND does not outlive the trust in the lease, whatever happens to
 * `wb`: when `wb` dies the channel closes, and COMMAND's process group is killed at once; when `wb` is frozen the deadline is not renewed,
 * and COMMAND gets SIGTERM before it and SIGKILL at it. As it starts COMMAND itself there is no moment at which COMMAND runs and nobody watches.
 *
 * It has a session of its own, so no signal to the group of `wb` or of the terminal reaches it.
 *
 * @module
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { LocalInstant, Timer } from '@wb/core';
import { machineClock } from './clock.js';
import type { KeeperReport, KeeperRequest } from './keeper-messages.js';
import { signalGroup } from './signal-group.js';

/** A machine that slept stops the timers, too; so the clocks are read at least this often, in ms. */
const LOOK_MS = 250;

let child: ChildProcess | null = null;
let deadline: LocalInstant = { monotonicMs: 0, wallMs: 0 };
let killAfterMs = 0;
/** When SIGTERM was sent because the deadline was near, on the monotonic clock. */
let terminatedAtMs: number | null = null;
/** It was told that COMMAND may not be sent signals. */
let isRefusalTold = false;
let timer: Timer | null = null;

process.on('message', (request: KeeperRequest) => {
  switch (request.kind) {
    case 'start':
      start(request);
      return;
    case 'renew':
      deadline = request.deadline;
      return;
    case 'signal':
      send(request.signal);
      return;
  }
});
// `wb` is gone.
process.on('disconnect', () => {
  if (child === null) process.exit(0);
  send('SIGKILL');
});
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGTSTP'] as const) process.on(name, () => undefined);
report({ kind: 'ready' });

function start(request: Extract<KeeperRequest, { kind: 'start' }>): void {
  ({ deadline, killAfterMs } = request);
  terminatedAtMs = null;
  isRefusalTold = false;
  // A deadline that passed on the way here: the trust is over.
  if (remainingMs() <= killAfterMs) {
    report({ kind: 'terminated' });
    report({ kind: 'exited', exitCode: null, signal: 'SIGTERM' });
    return;
  }
  const notStarted = (error: unknown): void => report({ kind: 'not-started', code: String(Reflect.get(Object(error), 'code')) });
  let started: ChildProcess;
  try {
    started = spawn(request.command, request.args, { stdio: 'inherit', detached: true, env: { ...process.env, ...request.env } });
  } catch (error) {
    // Some errors are thrown, and others are events.
    notStarted(error);
    return;
  }
  started.once('error', (error) => {
    if (started.pid === undefined) notStarted(error);
  });
  if (started.pid === undefined) return;
  child = started;
  report({ kind: 'started', pid: started.pid });
  started.once('exit', (exitCode, signal) => {
    // Whatever COMMAND left behind in its group would work on under the next leader.
    send('SIGKILL');
    child = null;
    timer?.cancel();
    report({ kind: 'exited', exitCode, signal });
    if (!process.connected) process.exit(0);
  });
  look();
}

function look(): void {
  if (child === null) return;
  const leftMs = remainingMs();
  const nowMs = machineClock.now().monotonicMs;
  if (leftMs <= 0) send('SIGKILL');
  else if (leftMs <= killAfterMs && terminatedAtMs === null) {
    terminatedAtMs = nowMs;
    report({ kind: 'terminated' });
    send('SIGTERM');
  } else if (leftMs > killAfterMs && terminatedAtMs !== null && nowMs - terminatedAtMs > killAfterMs) {
    // It had as long as it would have had. What ends it later is something else, and the next time it is told again.
    terminatedAtMs = null;
    report({ kind: 'trusted-again' });
  }
  const nextMs = terminatedAtMs === null ? leftMs - killAfterMs : leftMs;
  timer = machineClock.schedule(leftMs <= 0 ? LOOK_MS : Math.max(1, Math.min(nextMs, LOOK_MS)), look);
}

/** By whichever clock says less (T3). */
function remainingMs(): number {
  const now = machineClock.now();
  return Math.min(deadline.monotonicMs - now.monotonicMs, deadline.wallMs - now.wallMs);
}

function send(name: NodeJS.Signals): void {
  if (child?.pid === undefined || signalGroup(child.pid, name) !== 'not-permitted' || isRefusalTold) return;
  isRefusalTold = true;
  report({ kind: 'not-permitted', signal: name });
}

function report(message: KeeperReport): void {
  // An answer that nobody waits for any more is no fault.
  if (process.connected) process.send!(message, () => undefined);
}
