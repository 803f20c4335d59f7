import { Argument, type Command } from 'commander';
import {
  answerInterrupted,
  pauseJob,
  readJobStatuses,
  requestRun,
  restartJob,
  resumeJob,
  type JobControlResult,
  type JobStatus,
} from '@wb/schedule';
import type { LeaseStore } from '@wb/core';
import { machineClock, timeOfDay } from '../clock.js';
import { CliError } from '../cli-error.js';
import { openNamed, withCommonOptions, type CommonOptions } from '../common-options.js';
import { print, say, table } from '../output.js';

interface JobsOptions extends CommonOptions {
  readonly json?: boolean;
}

/** What can be done about a job. */
const ACTIONS: Readonly<Record<string, (store: LeaseStore, groupId: string, jobId: string) => Promise<JobControlResult>>> = Object.freeze({
  pause: pauseJob,
  resume: resumeJob,
  run: async (store, groupId, jobId) => await requestRun(store, groupId, jobId, nowMs()),
  rerun: async (store, groupId, jobId) => await answerInterrupted(store, groupId, jobId, 'rerun'),
  skip: async (store, groupId, jobId) => await answerInterrupted(store, groupId, jobId, 'skip'),
  restart: restartJob,
});

/** `wb jobs`: the recurring jobs of a group, and what an operator does about them. */
export function jobsCommand(program: Command): void {
  withCommonOptions(program.command('jobs'))
    .summary('show the recurring jobs of a group; pause, resume and run them')
    .description(
      'Shows the recurring jobs of a group (@wb/schedule): their next and last runs, and outcomes. With an action it does something about one of them, for all members: `pause` (what runs is run to its end), ' +
        '`resume` (times that came meanwhile are not made up for), `run` (once, now, also while it is paused), `rerun` or `skip` (what becomes of an occurrence that was interrupted, where the job asks), ' +
        '`restart` (the schedule begins anew: for a job that is over, on members that schedule it from then on, or one whose times a clock that was ahead has used up).',
    )
    .argument('<group>', 'the group')
    .addArgument(new Argument('[action]', 'what to do about a job').choices(Object.keys(ACTIONS)))
    .argument('[job]', 'the job')
    .option('--json', 'print JSON, with the last outcomes of each job')
    .addHelpText(
      'after',
      '\nExamples:\n  wb jobs orders\n  wb jobs orders pause send-orders\n  wb jobs orders resume send-orders\n  wb jobs orders run send-orders\n  wb jobs orders rerun send-orders',
    )
    .action(async (groupId: string, action: string | undefined, jobId: string | undefined, options: JobsOptions) => {
      if (action !== undefined && jobId === undefined) {
        throw new CliError(`\`wb jobs ${groupId} ${action}\` names no job`, { hint: `\`wb jobs ${groupId}\` lists them` });
      }
      const { store } = await openNamed(options, say, 'look');
      try {
        const statuses =
          action === undefined || jobId === undefined
            ? await readJobStatuses(store, groupId, { onUnreadable: (_jobId, error) => say(error.message) })
            : [statusOf(jobId, await ACTIONS[action]!(store, groupId, jobId))];
        print(options.json === true ? JSON.stringify(statuses, null, 2) : jobsTable(statuses));
      } finally {
        await store.close();
      }
    });
}

/** @throws {@link CliError} if there was nothing to do it to. */
function statusOf(jobId: string, result: JobControlResult): JobStatus {
  switch (result.kind) {
    case 'unknown-job':
      throw new CliError(`no leader has seen a job ${JSON.stringify(jobId)}`, {
        hint: 'a job is there when its group has been led once; `wb jobs GROUP` lists them',
      });
    case 'over':
      throw new CliError(`job ${JSON.stringify(jobId)} is over (${result.status.endReason})`, {
        hint: '`restart` has its schedule begin anew, on members that schedule it from then on',
      });
    case 'unchanged':
      say('there was nothing to change');
      return result.status;
    case 'done':
      return result.status;
  }
}

function nowMs(): number {
  return Math.floor(machineClock.now().wallMs);
}

/** Jobs as a table. */
export function jobsTable(statuses: readonly JobStatus[]): string {
  return table(
    ['JOB', 'STATE', 'TRIGGER', 'NEXT (UTC)', 'LAST BEGAN (UTC)', 'OUTCOME', 'BY', 'RUNS', 'FAILED', 'SKIPPED'],
    statuses.map((status) => {
      const { jobId, trigger, nextAtMs, running, history, runCount, failedCount, skippedCount, isPaused } = status;
      const last = running ?? history[0];
      return [
        jobId,
        stateOf(status),
        trigger,
        nextAtMs === null || isPaused ? '–' : timeOfDay(nextAtMs),
        last === undefined ? '–' : timeOfDay(last.startedAtMs),
        running === null ? (history[0]?.outcome ?? '–') : running.attempt > 1 ? `attempt ${running.attempt}` : '–',
        last?.memberId ?? '–',
        String(runCount),
        String(failedCount),
        String(skippedCount),
      ];
    }),
  );
}

function stateOf({ endReason, running, isPaused, isRestarting, requestedAtMs }: JobStatus): string {
  const states = [
    ...(endReason === null ? [] : [`over: ${endReason}`]),
    ...(running === null ? [] : [running.interruptedAtMs !== null ? 'interrupted' : running.retryAtMs !== null ? 'retrying' : 'running']),
    ...(isPaused ? ['paused'] : []),
    ...(requestedAtMs === null ? [] : ['run asked for']),
    ...(isRestarting ? ['restart asked for'] : []),
  ];
  return states.length === 0 ? 'waiting' : states.join(', ');
}
