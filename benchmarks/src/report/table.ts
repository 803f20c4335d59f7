import type { Distribution } from '../measure/distribution.js';

/** What a measurement was to reach. */
export interface Goal {
  /** `≤ 1.30` */
  readonly text: string;
  /** `null`: too few were measured to say. */
  readonly isMet: boolean | null;
}

export interface Row {
  readonly cells: readonly string[];
  /** What the cells were made of, for the JSON. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly goal?: Goal | undefined;
}

export interface Table {
  readonly title: string;
  /** As many as each row has cells. */
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** A goal for a number that is to be small. */
export function atMost(limit: number, value: number, unit = ''): Goal {
  return { text: `≤ ${limit}${unit}`, isMet: value <= limit };
}

/** Fewer say nothing about the slowest of a hundred, unless all of them agree. */
const ENOUGH_FOR_P99 = 20;

/** A goal for the 99th percentile. Of few values it is met if all are small, and not met if none is. */
export function p99AtMost(
  limit: number,
  { count, min, max, p99 }: Pick<Distribution, 'count' | 'min' | 'max' | 'p99'>,
  text: string,
): Goal {
  if (count >= ENOUGH_FOR_P99) return { text, isMet: p99 <= limit };
  return { text, isMet: max <= limit ? true : min > limit ? false : null };
}

/** The table as text; with a goal and `met` or `NOT MET` at the end of the rows that have one. */
export function formatTable({ title, columns, rows }: Table): string {
  const hasGoals = rows.some(({ goal }) => goal !== undefined);
  const lines = [
    [...columns, ...(hasGoals ? ['goal', ''] : [])],
    ...rows.map(({ cells, goal }) => [...cells, ...(hasGoals ? [goal?.text ?? '', goal === undefined ? '' : verdict(goal)] : [])]),
  ];
  const widths = lines[0]!.map((_cell, at) => Math.max(...lines.map((line) => line[at]!.length)));
  // The first column is words, the others are mostly numbers.
  const format = (line: readonly string[]): string =>
    line
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  ')
      .trimEnd();
  const [head, ...body] = lines.map(format);
  return [title, head!, '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)), ...body].join('\n');
}

/** The same as Markdown. */
export function markdownTable({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const hasGoals = rows.some(({ goal }) => goal !== undefined);
  const goalCells = (goal: Goal | undefined): string[] => (hasGoals ? [goal === undefined ? '' : `${goal.text}: ${verdict(goal)}`] : []);
  return [
    `**${title}**`,
    '',
    line([...columns, ...(hasGoals ? ['goal'] : [])]),
    line([...columns, ...(hasGoals ? ['goal'] : [])].map((_cell, at) => (at === 0 ? '---' : '--:'))),
    ...rows.map(({ cells, goal }) => line([...cells, ...goalCells(goal)])),
  ].join('\n');
}

export function verdict({ isMet }: Goal): string {
  return isMet === null ? 'too few to say' : isMet ? 'met' : 'NOT MET';
}

/** Three figures that matter: `0.0123`, `1.23`, `12.3`, `1,230`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', { minimumFractionDigits: Math.min(digits, 4), maximumFractionDigits: Math.min(digits, 4) });
}
