import { inspect, isDeepStrictEqual } from 'node:util';

/** A store did something that the contract forbids. */
export class ConformanceFailure extends Error {
  readonly expected: string;
  readonly actual: string;

  constructor(what: string, expected: string, actual: string) {
    super(`${what}: expected ${expected}, but it was ${actual}`);
    this.name = 'ConformanceFailure';
    this.expected = expected;
    this.actual = actual;
  }
}

/** Fails unless both are the same, deeply. */
export function equal(what: string, actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) throw new ConformanceFailure(what, show(expected), show(actual));
}

/** Fails unless `isTrue`. */
export function holds(what: string, isTrue: boolean, expected: string, actual: unknown): asserts isTrue {
  if (!isTrue) throw new ConformanceFailure(what, expected, show(actual));
}

/** Fails unless `lowest ≤ actual ≤ highest`. */
export function between(what: string, actual: number, lowest: number, highest: number): void {
  holds(what, actual >= lowest && actual <= highest, `${round(lowest)} to ${round(highest)}`, actual);
}

/** Fails unless `actual` is above 0 and at most `highest`. */
export function aboveZero(what: string, actual: number, highest: number): void {
  holds(what, actual > 0 && actual <= highest, `above 0 and at most ${round(highest)}`, actual);
}

/** The error that `call` rejects with; fails if it does not reject. */
export async function rejection(what: string, call: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await call;
  } catch (error) {
    return error;
  }
  throw new ConformanceFailure(what, 'a rejection', `resolved with ${show(value)}`);
}

function show(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: 120, maxArrayLength: 20, maxStringLength: 200 });
}

function round(value: number): string {
  return String(Math.round(value * 1_000) / 1_000);
}
