/**
 * The only file of this package that makes a `Date`. None of them reads a clock: each is of an instant that was given.
 *
 * @module
 */

/** An instant as a `Date`, for users and for the cron library. */
export function dateOf(atMs: number): Date {
  return new Date(atMs);
}

/** An instant in ISO 8601, in UTC. */
export function isoOf(atMs: number): string {
  return dateOf(atMs).toISOString();
}

/** The instant of a `Date`; `null` for anything else, and for a `Date` without one. */
export function instantOfDate(value: unknown): number | null {
  return value instanceof Date && !Number.isNaN(value.getTime()) ? value.getTime() : null;
}

/** The instant of an ISO 8601 text that says its zone (`Z` or an offset); `null` for any other: a time without a zone is another one on each machine (F6). */
export function instantOfText(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text)) return null;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : atMs;
}
