import Table from 'cli-table3';
import { withoutSecrets } from './secrets.js';

/** Writes a line for people to the standard error, so that the standard output stays COMMAND's. It may have been written by others: it becomes one line, without secrets. */
export function say(line: string): void {
  process.stderr.write(`wb: ${withoutSecrets(inOneLine(line))}\n`);
}

/** A text in one line. */
export function inOneLine(text: string): string {
  return text.trim().replaceAll(/\s*[\r\n]\s*/g, ' ');
}

/** Writes what was asked for to the standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const NO_BORDERS = Object.fromEntries(
  [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ].map((name) => [name, '']),
);

/** A table without borders, two blanks between its columns, and none at the end of a line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const made = new Table({
    chars: { ...NO_BORDERS, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  // Names are the users' own: nothing in them may steer the terminal.
  made.push([...head], ...rows.map((row) => row.map((cell) => cell.replaceAll(/\p{C}/gu, '�'))));
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** What a terminal shows. */
interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/**
 * What draws a text over the one before, from the top of the terminal: each line is cleared to its end, and what is below. Lines that would wrap or scroll would stay for ever; they are cut off.
 */
export function screen(text: string, { rows, columns }: TerminalSize): string {
  const lines = text.split('\n');
  // The last line is left for the cursor.
  const room = Math.max(1, rows - 1);
  const isTooLong = lines.length > room;
  const shown = isTooLong ? [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more`] : lines;
  // Without wrapping: some characters are wider than one column.
  return `\x1b[?7l\x1b[H${shown.map((line) => `${cut(line, columns)}\x1b[K\n`).join('')}\x1b[J\x1b[?7h`;
}

function cut(line: string, columns: number): string {
  const characters = [...line];
  return characters.length < columns ? line : `${characters.slice(0, Math.max(0, columns - 2)).join('')}…`;
}

/** A duration for people: `0.8 s`, `42 s`, `5 min`, `3 h`, `2 d`. */
export function duration(ms: number): string {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}
