import { CommanderError } from 'commander';
import { StoreError, WbError, WbOptionError } from '@wb/core';
import { CliError, EXIT } from './cli-error.js';
import { say } from './output.js';
import { withoutSecrets } from './secrets.js';

/** Tells the user in one line what failed, with a hint, and returns the exit code. */
export function reportFailure(error: unknown, isVerbose: boolean): number {
  // It has been told already: help, or wrong usage.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.failed;
  const message = error instanceof Error ? error.message : String(error);
  const hint = hintOf(error);
  say(`error: ${message}${hint === undefined ? '' : ` (${hint})`}`);
  if (isVerbose) process.stderr.write(`${withoutSecrets(stackOf(error))}\n`);
  return error instanceof CliError ? error.exitCode : EXIT.failed;
}

/** What the options of the command line are called where they are checked. */
const OPTION_NAMES: Readonly<Record<string, string>> = Object.freeze({
  groupId: '--group',
  memberId: '--member',
  namespace: '--namespace',
  schema: '--schema',
  ttlMs: '--ttl, in seconds',
  heartbeatMs: '--heartbeat, in seconds',
  callDeadlineMs: '--ttl, in seconds: it is made of that',
  safetyMarginMs: '--ttl, in seconds: it is made of that',
});

function hintOf(error: unknown): string | undefined {
  if (error instanceof CliError) return error.hint;
  if (error instanceof StoreError && error.code === 'STORE_NOT_MIGRATED') return 'run `wb migrate` first';
  if (error instanceof StoreError && error.code === 'STORE_UNAVAILABLE') return 'is the server up, and the URL right?';
  if (error instanceof WbOptionError && Object.hasOwn(OPTION_NAMES, error.field)) return `see ${OPTION_NAMES[error.field]}`;
  if (error instanceof WbError) return undefined;
  return 'see --verbose';
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? error.message;
  return error.cause === undefined ? stack : `${stack}\ncaused by ${stackOf(error.cause)}`;
}
