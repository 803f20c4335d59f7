import { WbOptionError } from './errors.js';
import { MAX_TTL_MS } from './session-input.js';

/** The four durations on which everything rests. All in ms. */
export interface TimingOptions {
  /** How long a session lives after its last heartbeat. Default: 10,000. Range: a whole number, 10 to 86,400,000. */
  readonly ttlMs?: number;
  /** How often the session is extended. Default: a fifth of `ttlMs`. Range: 1 to a third of `ttlMs`. */
  readonly heartbeatMs?: number;
  /** How long one store call may take. Default: a third of `ttlMs − heartbeatMs − safetyMarginMs`, rounded down, 1 to 5,000: two calls in a row may be lost, and the third still has its time. Range: 1 and more. */
  readonly callDeadlineMs?: number;
  /** How much sooner than the store this member lets go. Default: a tenth of `ttlMs`. Range: 1 and more. */
  readonly safetyMarginMs?: number;
}

/** {@link TimingOptions} with nothing left open. Satisfies T2: `heartbeatMs + 2 × callDeadlineMs + safetyMarginMs ≤ ttlMs`. */
export type Timings = Readonly<Required<TimingOptions>>;

/**
 * Fills in the defaults and checks the whole (T2, F12).
 * @throws {@link WbOptionError} `INVALID_OPTION`, naming the field, its value, the limit, and the worst case behind it.
 */
export function resolveTimings(options: TimingOptions): Timings {
  const ttlMs = options.ttlMs ?? 10_000;
  assertDuration('ttlMs', ttlMs, 10, MAX_TTL_MS);
  if (!Number.isInteger(ttlMs)) throw invalid('ttlMs', ttlMs, 'must be a whole number of milliseconds');
  const heartbeatMs = options.heartbeatMs ?? ttlMs / 5;
  assertDuration('heartbeatMs', heartbeatMs, 1, MAX_TTL_MS);
  if (heartbeatMs > ttlMs / 3) {
    throw invalid(
      'heartbeatMs',
      heartbeatMs,
      `must be at most a third of \`ttlMs\` (${ttlMs}): one that is late or lost would already end the session`,
    );
  }
  const safetyMarginMs = options.safetyMarginMs ?? ttlMs / 10;
  assertDuration('safetyMarginMs', safetyMarginMs, 1, MAX_TTL_MS);
  const restMs = ttlMs - heartbeatMs - safetyMarginMs;
  if (options.callDeadlineMs === undefined && restMs < 2) {
    throw invalid(
      'safetyMarginMs',
      safetyMarginMs,
      `leaves no time for a store call within \`ttlMs\` (${ttlMs}) after \`heartbeatMs\` (${heartbeatMs})`,
    );
  }
  const callDeadlineMs = options.callDeadlineMs ?? Math.min(5_000, Math.max(1, Math.floor(restMs / 3)));
  assertDuration('callDeadlineMs', callDeadlineMs, 1, MAX_TTL_MS);
  const worstCaseMs = heartbeatMs + 2 * callDeadlineMs + safetyMarginMs;
  // A sum of fractions may be off by a rounding error.
  if (worstCaseMs > ttlMs + 1e-6) {
    throw invalid(
      'callDeadlineMs',
      callDeadlineMs,
      `is too long: \`heartbeatMs\` (${heartbeatMs}) + 2 × \`callDeadlineMs\` + \`safetyMarginMs\` (${safetyMarginMs}) = ${worstCaseMs} must be at most ` +
        `\`ttlMs\` (${ttlMs}), so that two calls may be lost in a row and a third still be sent`,
    );
  }
  return Object.freeze({ ttlMs, heartbeatMs, callDeadlineMs, safetyMarginMs });
}

/**
 * Checks one duration in ms.
 * @throws {@link WbOptionError} `INVALID_OPTION`
 */
export function assertDuration(
  field: string,
  value: unknown,
  minMs: number,
  maxMs: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < minMs || value > maxMs) {
    const limit = maxMs === Number.MAX_SAFE_INTEGER ? `of at least ${minMs}` : `from ${minMs} to ${maxMs}`;
    throw invalid(field, value, `must be a finite number of milliseconds ${limit}`);
  }
}

function invalid(field: string, value: unknown, limit: string): WbOptionError {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${shown}) ${limit}`);
}
