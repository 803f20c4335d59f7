import { InvalidArgumentError, type Command } from 'commander';
import { MAX_TERM_RECORDS, type LeaseStore, type TermRecord } from '@wb/core';
import { machineClock, timeOfDay } from '../clock.js';
import { CliError } from '../cli-error.js';
import { openNamed, withCommonOptions, type CommonOptions } from '../common-options.js';
import { duration, print, say, table } from '../output.js';

interface HistoryOptions extends CommonOptions {
  readonly limit: number;
  readonly json?: boolean;
}

/** `wb history`: who led, from when to when, and why it ended. */
export function historyCommand(program: Command): void {
  withCommonOptions(program.command('history'))
    .summary('show who led a group, from when to when, and why it ended')
    .description(
      `Shows the last terms of a group, the latest first. The store keeps ${MAX_TERM_RECORDS} of them. Ages are by the store's clock; the times of day are made of them by this machine's.`,
    )
    .argument('<group>', 'the group')
    .option('--limit <count>', 'how many terms to show at most', wholeLimit, 20)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  wb history billing\n  wb history billing --limit 1 --json')
    .action(async (groupId: string, options: HistoryOptions) => {
      const { store } = await openNamed(options, say, 'look');
      try {
        const records = await historyOf(store)([groupId], options.limit);
        print(options.json === true ? JSON.stringify(records, null, 2) : historyTable(records, machineClock.now().wallMs));
      } finally {
        await store.close();
      }
    });
}

function historyOf(store: LeaseStore): NonNullable<LeaseStore['history']> {
  if (store.history === undefined) throw new CliError('the store keeps no record of terms');
  return store.history.bind(store);
}

/** @param nowMs This machine's time, in ms since 1970. */
export function historyTable(records: readonly TermRecord[], nowMs: number): string {
  const at = (agoMs: number): string => timeOfDay(nowMs - agoMs);
  return table(
    ['TERM', 'MEMBER', 'FROM (UTC)', 'UNTIL (UTC)', 'LED FOR', 'ENDED BY'],
    records.map(({ term, memberId, beganAgoMs, endedAgoMs, endReason }) => [
      String(term),
      memberId,
      at(beganAgoMs),
      endedAgoMs === null ? '–' : at(endedAgoMs),
      endReason !== null && endedAgoMs === null ? '?' : duration(beganAgoMs - (endedAgoMs ?? 0)),
      endReason ?? '–',
    ]),
  );
}

function wholeLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_TERM_RECORDS) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_TERM_RECORDS}.`);
  }
  return limit;
}
