import type { Command } from 'commander';
import { StoreError, type LeaseStore } from '@wb/core';
import { pause } from '../clock.js';
import { CliError } from '../cli-error.js';
import { openNamed, secondsOption, withCommonOptions, type CommonOptions } from '../common-options.js';
import { duration, inOneLine, print, say, screen, table } from '../output.js';
import { withoutSecrets } from '../secrets.js';

interface StatusOptions extends CommonOptions {
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly interval: number;
}

/** One group as `wb status` shows it; durations in ms by the store's clock, `null`: nobody leads, or the store does not know. */
interface GroupRow {
  readonly groupId: string;
  readonly leader: string | null;
  readonly sessionId: string | null;
  /** Of the last grant; 0: never held. */
  readonly term: number;
  readonly leadingForMs: number | null;
  readonly remainingMs: number | null;
  readonly standbyCount: number;
  readonly heartbeatAgeMs: number | null;
}

/** `wb status`: who leads. */
export function statusCommand(program: Command): void {
  withCommonOptions(program.command('status'))
    .summary('show who leads')
    .description('Shows for each group who leads, in which term and since when, how long the lease still stands, and how many stand by.')
    .argument('[groups...]', 'the groups (default: all that somebody leads or waits for)')
    .option('--json', 'print JSON; with --watch one line for each look')
    .option('--watch', 'show it again and again: in place on a terminal, as lines otherwise')
    .addOption(secondsOption('--interval <seconds>', 'how often --watch looks', 1_000))
    .addHelpText('after', '\nExamples:\n  wb status\n  wb status billing mail\n  wb status billing --watch\n  wb status billing --json')
    .action(async (groupIds: readonly string[], options: StatusOptions) => {
      const { store } = await openNamed(options, say, 'look');
      try {
        if (options.watch === true) await watch(store, groupIds, options);
        else {
          const rows = await readRows(store, await named(store, groupIds));
          print(options.json === true ? JSON.stringify(rows, null, 2) : statusTable(rows));
        }
      } finally {
        await store.close();
      }
    });
}

async function watch(store: LeaseStore, groupIds: readonly string[], { json, interval }: StatusOptions): Promise<void> {
  const { stdout } = process;
  const isTerminal = stdout.isTTY && json !== true;
  for (;;) {
    try {
      const rows = await readRows(store, await named(store, groupIds));
      if (json === true) print(JSON.stringify(rows));
      else if (isTerminal) stdout.write(screen(statusTable(rows), stdout));
      else print(statusTable(rows));
    } catch (error) {
      if (!(error instanceof StoreError) || !error.isRetryable) throw error;
      const line = `the store failed, trying on: ${error.message}`;
      if (isTerminal) stdout.write(screen(withoutSecrets(inOneLine(line)), stdout));
      else say(line);
    }
    await pause(Math.max(100, interval));
  }
}

/** The groups that are meant. */
async function named(store: LeaseStore, groupIds: readonly string[]): Promise<readonly string[]> {
  if (groupIds.length > 0) return groupIds;
  if (store.groups === undefined) throw new CliError('the store cannot tell which groups there are', { hint: 'name them' });
  return (await store.groups()).toSorted();
}

/** Reads the groups, and what is known about their leaders. */
async function readRows(store: LeaseStore, groupIds: readonly string[]): Promise<readonly GroupRow[]> {
  const [views, members, terms] = await Promise.all([
    store.read(groupIds),
    store.members(),
    store.history === undefined ? [] : store.history(groupIds, 1),
  ]);
  const sessions = new Map(members.map((member) => [member.sessionId, member]));
  const records = new Map(terms.map((record) => [record.groupId, record]));
  return views.map(({ groupId, term, holder, contenderCount }) => {
    const session = holder === null ? undefined : sessions.get(holder.sessionId);
    const record = records.get(groupId);
    return {
      groupId,
      leader: holder?.memberId ?? null,
      sessionId: holder?.sessionId ?? null,
      term,
      // The two were not read in one moment.
      leadingForMs: holder !== null && record?.term === term ? record.beganAgoMs : null,
      remainingMs: holder?.remainingMs ?? null,
      standbyCount: holder === null ? contenderCount : Math.max(0, contenderCount - 1),
      heartbeatAgeMs: session === undefined ? null : Math.max(0, session.ttlMs - session.remainingMs),
    };
  });
}

/** The rows as a table. */
function statusTable(rows: readonly GroupRow[]): string {
  const time = (ms: number | null): string => (ms === null ? '-' : duration(ms));
  return table(
    ['GROUP', 'LEADER', 'TERM', 'SINCE', 'REMAINING', 'STANDBYS', 'HEARTBEAT AGE'],
    rows.map((row) => [
      row.groupId,
      row.leader ?? '(nobody)',
      String(row.term),
      time(row.leadingForMs),
      time(row.remainingMs),
      String(row.standbyCount),
      time(row.heartbeatAgeMs),
    ]),
  );
}
