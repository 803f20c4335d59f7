/** Exit codes of `wb` itself, as `env` and `timeout` use them. Any other is COMMAND's own; 128 + n: signal n ended it. */
export const EXIT: Readonly<Record<'unwell' | 'timedOut' | 'failed' | 'cannotRun' | 'notFound' | 'signal', number>> = Object.freeze({
  /** `wb doctor` has found a problem. */
  unwell: 1,
  /** The time given by `--timeout` has passed. */
  timedOut: 124,
  /** `wb` failed: wrong usage, a wrong configuration, a database that cannot be used. */
  failed: 125,
  /** COMMAND was found, but cannot be run. */
  cannotRun: 126,
  /** COMMAND was not found. */
  notFound: 127,
  /** Added to the number of a signal. */
  signal: 128,
});

/** A failure that is told in one line, with a hint. */
export class CliError extends Error {
  readonly exitCode: number;
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(message: string, { hint, exitCode = EXIT.failed, cause }: { hint?: string; exitCode?: number; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.hint = hint;
  }
}
