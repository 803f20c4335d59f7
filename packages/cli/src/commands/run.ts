import { hostname } from 'node:os';
import { Option, type Command } from 'commander';
import { assertName, createCoordinator, type Coordinator } from '@wb/core';
import { CliError, EXIT } from '../cli-error.js';
import { givenTimings, openNamed, seconds, secondsOption, withCommonOptions, type CommonOptions } from '../common-options.js';
import { Keeper } from '../keeper.js';
import { resolveKillAfterMs } from '../kill-after.js';
import { say } from '../output.js';
import { describeTarget } from '../store-target.js';
import { ON_EXIT, supervise, type OnExit } from '../supervise.js';

interface RunOptions extends CommonOptions {
  readonly group?: string;
  readonly member?: string;
  readonly ttl?: number;
  readonly heartbeat?: number;
  readonly killAfter?: number;
  readonly stopTimeout: number;
  readonly onExit: OnExit;
  readonly quiet?: boolean;
}

/** `wb run`: runs a program while this member leads. */
export function runCommand(program: Command): void {
  withCommonOptions(program.command('run'))
    .summary('run a program while this member leads the group')
    .description(
      'Contends for the group. While leading, runs COMMAND with WB_GROUP, WB_TERM and WB_MEMBER in its environment; when leadership ends, ends it with all that it started. ' +
        'When COMMAND ends, the lease is released at once.',
    )
    .option('--group <name>', "the group (default: groupId of --config's file)")
    .option('--member <name>', "this member's name for people (default: taskId of --config's file, else the host's name)")
    .option(
      '--ttl <seconds>',
      "the session TTL: how long a dead leader holds the group at most (default: that of --config's file, else 10)",
      seconds,
    )
    .option(
      '--heartbeat <seconds>',
      "how often the session is extended (default: that of --config's file, else a fifth of the TTL)",
      seconds,
    )
    .option(
      '--kill-after <seconds>',
      'how long before the trust in the lease ends COMMAND gets SIGTERM; at the end it gets SIGKILL (default: as long as the timings allow, at most 10)',
      seconds,
    )
    .addOption(secondsOption('--stop-timeout <seconds>', 'how long COMMAND may take to end when wb is told to stop', 10_000))
    .addOption(
      new Option('--on-exit <what>', 'what follows the end of COMMAND: auto is exit after exit code 0, else yield')
        .choices([...ON_EXIT])
        .default('auto'),
    )
    .option('--quiet', 'say nothing but errors')
    .argument('<command>', 'the program to run')
    .argument('[args...]', 'its arguments')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
Examples:
  wb run --group billing -- node worker.js
  wb run --group backup --store postgres://app@db/app --on-exit exit -- pg_dump -f /backup/app.sql app
  wb run --config Config.toml -- node worker.js`,
    )
    .action(run);
}

async function run(command: string, args: readonly string[], options: RunOptions): Promise<void> {
  const log = options.quiet === true ? (): void => undefined : say;
  const { store, target, file } = await openNamed(options, log, 'use');
  const warn = (line: string): void => say(`error: ${line}`);
  try {
    const groupId = options.group ?? file?.groupId;
    if (groupId === undefined) throw new CliError('no group is named', { hint: 'give --group NAME' });
    // It is shown before anything else looks at it.
    assertName('groupId', groupId);
    const timings = givenTimings(options, file);
    const killAfterMs = resolveKillAfterMs(options.killAfter, timings);
    const memberId = options.member ?? file?.coordinator.memberId ?? hostname();
    const coordinator = createCoordinator({
      store,
      memberId,
      ...timings,
      metadata: { host: hostname(), pid: String(process.pid) },
    });
    report(coordinator, options.quiet === true);
    // It kills COMMAND as it dies. Nothing is released: the session expires, and until then nobody else begins.
    const keeper = await Keeper.start(() => {
      warn('the keeper process was killed; COMMAND was killed with it');
      process.exit(EXIT.failed);
    });
    log(`member ${memberId} contends for group ${groupId} in ${describeTarget(target)}`);
    try {
      process.exitCode = await supervise({
        coordinator,
        keeper,
        timings,
        groupId,
        command,
        args,
        onExit: options.onExit,
        killAfterMs,
        stopTimeoutMs: options.stopTimeout,
        log,
        warn,
      });
    } finally {
      await coordinator.close();
      keeper.end();
    }
  } finally {
    await store.close();
  }
}

function report(coordinator: Coordinator, isQuiet: boolean): void {
  let isTold = false;
  let hasToldOfHints = false;
  coordinator.on('store-fault', ({ operation, error }) => {
    // Tried again for ever, and only slower without: once is enough.
    if (operation === 'watch') {
      if (!hasToldOfHints) say(`no hints: a release is seen with the next heartbeat: ${error.message}`);
      hasToldOfHints = true;
      return;
    }
    if (!isTold) say(`the store failed, trying on: ${error.message}`);
    isTold = true;
  });
  coordinator.on('store-recovered', () => {
    if (isTold && !isQuiet) say('the store answers again');
    isTold = false;
  });
  coordinator.on('overrun', ({ term, settleDeadlineMs }) => {
    say(
      `error: COMMAND is still there ${settleDeadlineMs / 1_000} s after leadership ended: the lease of term ${term} is kept until it has ended`,
    );
  });
  if (isQuiet) return;
  coordinator.on('group', ({ groupId, to, reason, error }) => {
    const leader = coordinator.status().groups.find((group) => group.groupId === groupId)?.leader;
    if (to === 'yielding') say(`leadership ends: ${reason}${error instanceof Error ? ` (${error.message})` : ''}`);
    if (to === 'standby' && reason === 'held' && leader) say(`standing by: ${leader.memberId} leads in term ${leader.term}`);
  });
}
