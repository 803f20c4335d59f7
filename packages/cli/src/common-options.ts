import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { resolveTimings, type LeaseStore, type TimingOptions, type Timings } from '@wb/core';
import { openStore, type StorePurpose, type StoreTarget } from './adapters.js';
import { CliError } from './cli-error.js';
import { readConfigFile, type FileSettings } from './config-file.js';
import { keepSecret } from './secrets.js';
import { defaultStore, describeTarget, parseStoreUrl } from './store-target.js';

/** Options that every command has. */
export interface CommonOptions {
  readonly store?: string;
  readonly config?: string;
  readonly namespace?: string;
  readonly schema?: string;
  readonly pooler?: boolean;
  readonly verbose?: boolean;
}

/** Adds {@link CommonOptions} to a command. */
export function withCommonOptions(command: Command): Command {
  return command
    .option(
      '--store <url>',
      'the database: postgres://, mysql://, mariadb://, sqlite:PATH or file:PATH (default: $WB_STORE, else a file in your state folder)',
    )
    .option('--config <file>', "the original's Config.toml: member, group, timings and database")
    .option('--namespace <prefix>', 'what the names of the tables begin with (default: wb_)')
    .option('--schema <name>', 'the schema of the tables, of PostgreSQL (default: public)')
    .option('--pooler', 'a pooler in transaction mode, such as PgBouncer, is between here and the database')
    .option('--verbose', 'show the whole of an error');
}

/** What a command works with. */
export interface Opened {
  readonly store: LeaseStore;
  readonly target: StoreTarget;
  readonly file: FileSettings | null;
}

/**
 * Finds out which store is meant and makes it: `--store`, else the database of `--config`, else `WB_STORE`, else a file in the user's state folder, which is said.
 * @throws {@link CliError}
 */
export async function openNamed(options: CommonOptions, say: (line: string) => void, purpose: StorePurpose): Promise<Opened> {
  if (options.store !== undefined && options.config !== undefined) {
    throw new CliError('--store and --config exclude each other: the file names its database', { hint: 'leave one of them out' });
  }
  const file = options.config === undefined ? null : readConfigFile(options.config);
  const target = file === null ? namedTarget(options, say, purpose) : file.target;
  keepSecret(target);
  return { store: await openStore(target, options, purpose), target, file };
}

function namedTarget({ store }: CommonOptions, say: (line: string) => void, purpose: StorePurpose): StoreTarget {
  const url = store ?? process.env['WB_STORE'];
  if (url !== undefined && url !== '') return parseStoreUrl(url);
  const target = defaultStore();
  // The user's own, and for the user alone.
  if (purpose === 'use') mkdirSync(dirname(target.filename), { recursive: true, mode: 0o700 });
  say(`no store named: ${describeTarget(target)}, for this machine alone`);
  return target;
}

/** The timings of the command line, and what it leaves open of the file's; what both leave open follows from the others. */
export function givenTimings(
  { ttl, heartbeat }: { readonly ttl?: number; readonly heartbeat?: number },
  file: FileSettings | null,
): Timings {
  const given: TimingOptions = {
    ...(file === null ? {} : { ttlMs: file.coordinator.ttlMs, heartbeatMs: file.coordinator.heartbeatMs }),
    ...(ttl === undefined ? {} : { ttlMs: ttl }),
    ...(heartbeat === undefined ? {} : { heartbeatMs: heartbeat }),
  };
  return resolveTimings(given);
}

/** An option that is a duration: in seconds on the command line, in ms in the program. */
export function secondsOption(flags: string, description: string, defaultMs: number): Option {
  return new Option(flags, description).argParser(seconds).default(defaultMs, String(defaultMs / 1_000));
}

/** Reads a duration in seconds, and returns ms. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0 || value > 86_400)
    throw new InvalidArgumentError('It must be a number of seconds from 0 to 86400.');
  return Math.round(value * 1_000);
}
