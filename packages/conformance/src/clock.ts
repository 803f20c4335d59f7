/**
 * The only file of this package that reads a clock or waits: cases ask it, so that what they wait for is in one place.
 *
 * @module
 */

/** Local monotonic time, in ms. */
export function nowMs(): number {
  return performance.now();
}

/** This machine's wall clock, the same for all of its processes, in ms. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Resolves in `delayMs`: to let time pass, where time is what is tested; never to wait for a state. */
export function pass(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

/** Asks again and again, `everyMs` apart, until `ask` gives something else than `undefined`; `null` when `limitMs` is over. */
export async function until<T>(ask: () => Promise<T | undefined>, limitMs: number, everyMs: number = 2): Promise<T | null> {
  const endMs = nowMs() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (nowMs() >= endMs) return null;
    await pass(everyMs);
  }
}

/** What `call` comes to within `limitMs`: settled, or still under way. */
export async function settledWithin(call: Promise<unknown>, limitMs: number): Promise<'resolved' | 'rejected' | 'pending'> {
  let timer: NodeJS.Timeout | undefined;
  const pending = new Promise<'pending'>((resolve) => {
    timer = setTimeout(() => resolve('pending'), limitMs);
  });
  const settled = call.then(
    () => 'resolved' as const,
    () => 'rejected' as const,
  );
  const outcome = await Promise.race([settled, pending]);
  clearTimeout(timer);
  return outcome;
}

/** Runs `body` in a process whose wall clock and `Date` are off by `byMs`; the monotonic clock is left alone. */
export async function withWrongDate<T>(byMs: number, body: () => Promise<T>): Promise<T> {
  const Real = Date;
  class WrongDate extends Real {
    constructor(...args: [] | [number | string | Date]) {
      super(args.length === 0 ? Real.now() + byMs : args[0]);
    }

    static override now(): number {
      return Real.now() + byMs;
    }
  }
  globalThis.Date = WrongDate as DateConstructor;
  try {
    return await body();
  } finally {
    globalThis.Date = Real;
  }
}
