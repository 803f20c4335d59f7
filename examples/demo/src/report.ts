import Table from 'cli-table3';
import { count, milliseconds, money, type Check } from './check.js';
import type { TermShare } from './proof.js';
import type { Takeover } from './takeover-log.js';
import type { Timeline } from './timeline.js';

const ASCII = {
  top: '-',
  'top-mid': '+',
  'top-left': '+',
  'top-right': '+',
  bottom: '-',
  'bottom-mid': '+',
  'bottom-left': '+',
  'bottom-right': '+',
  left: '|',
  'left-mid': '+',
  mid: '-',
  'mid-mid': '+',
  right: '|',
  'right-mid': '+',
  middle: '|',
} as const;

const FATES = { SIGKILL: 'killed (SIGKILL)', SIGSTOP: 'frozen (SIGSTOP)', resign: 'asked to resign' } as const;

/** Each takeover with its measured time. */
export function takeoverTable(takeovers: readonly Takeover[], timeline: Timeline): string {
  const { green, red } = timeline.colours;
  return table(
    timeline,
    ['leader', 'term', 'was', 'successor', 'term', 'took', 'at most'],
    'lllllrr',
    takeovers.map(({ blow, successor, tookMs }) => [
      timeline.paintOf(blow.memberId)(blow.memberId),
      String(blow.term),
      FATES[blow.cause],
      timeline.paintOf(successor.memberId)(successor.memberId),
      String(successor.term),
      (tookMs <= blow.limitMs ? green : red)(milliseconds(tookMs)),
      milliseconds(blow.limitMs),
    ]),
  );
}

/** The orders settled by each member and term, by the ledger. */
export function shareTable(rows: readonly TermShare[], timeline: Timeline): string {
  const sum = (pick: (row: TermShare) => number): number => rows.reduce((total, row) => total + pick(row), 0);
  return table(timeline, ['term', 'member', 'orders settled', 'amount'], 'llrr', [
    ...rows.map(({ term, memberId, orderCount, amountCents }) => [
      String(term),
      timeline.paintOf(memberId)(memberId),
      count(orderCount),
      money(amountCents),
    ]),
    ['all', '', count(sum((row) => row.orderCount)), money(sum((row) => row.amountCents))],
  ]);
}

/** The checks, one a line. */
export function checkList(checks: readonly Check[], { colours }: Timeline): string {
  const width = Math.max(...checks.map(({ title }) => title.length));
  return checks
    .map(({ title, isTrue, found }) => `  ${isTrue ? colours.green('✓') : colours.red('✗')} ${title.padEnd(width)}  ${found}`)
    .join('\n');
}

function table({ colours }: Timeline, head: readonly string[], aligns: string, rows: readonly (readonly string[])[]): string {
  const lines = new Table({
    head: head.map(colours.bold),
    colAligns: [...aligns].map((align) => (align === 'r' ? 'right' : 'left')),
    // Its own colours would be there without a terminal too.
    style: { head: [], border: [], compact: true },
    chars: colours.isColorSupported ? {} : ASCII,
  });
  lines.push(...rows.map((row) => [...row]));
  return lines.toString();
}
