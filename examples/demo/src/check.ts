/** One thing that must be true in the end. */
export interface Check {
  readonly title: string;
  readonly isTrue: boolean;
  /** What was found, for people. */
  readonly found: string;
}

/** `1,234`. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `1,234 ms`, or `1.2 ms` when it is little. */
export function milliseconds(value: number): string {
  return `${value < 10 ? value.toFixed(1) : count(Math.round(value))} ms`;
}

/** `12,345.67`, from cents. */
export function money(cents: number): string {
  return (cents / 100).toLocaleString('en-US', { minimumFractionDigits: 2 });
}
