import { InvalidArgumentError, type Command } from 'commander';
import type { LeaseStore } from '@wb/core';
import { openStore, type StoreTarget } from './adapters.js';
import { CliError } from './cli-error.js';
import { readConfigFile, type FileSettings } from './config-file.js';
import { defaultStore, describeTarget, parseStoreUrl, redact } from './store-target.js';

/** Options that every command has. */
export interface CommonOptions {
  readonly store?: string;
  readonly config?: string;
  readonly namespace?: string;
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
    .option('--verbose', 'show the whole of an error');
}

/** What a command works with. */
export interface Opened {
  readonly store: LeaseStore;
  readonly target: StoreTarget;
  readonly file: FileSettings | null;
}

let lastTarget: StoreTarget | null = null;

/** Takes the secrets of the store in use out of a text. */
export function withoutSecrets(text: string): string {
  return redact(text, lastTarget);
}

/**
 * Finds out which store is meant and makes it: `--store`, else the database of `--config`, else `WB_STORE`, else a file in the user's state folder, which is said.
 * @throws {@link CliError}
 */
export async function openNamed(options: CommonOptions, say: (line: string) => void): Promise<Opened> {
  if (options.store !== undefined && options.config !== undefined) {
    throw new CliError('--store and --config exclude each other: the file names its database', { hint: 'leave one of them out' });
  }
  const file = options.config === undefined ? null : readConfigFile(options.config);
  const url = options.store ?? process.env['WB_STORE'];
  let target: StoreTarget;
  if (file !== null) target = file.target;
  else if (url !== undefined && url !== '') target = parseStoreUrl(url);
  else {
    target = defaultStore();
    say(`no store named: ${describeTarget(target)}, for this machine alone`);
  }
  lastTarget = target;
  return { store: await openStore(target, options.namespace), target, file };
}

/** Reads a duration in seconds, and returns ms. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0 || value > 86_400)
    throw new InvalidArgumentError('It must be a number of seconds from 0 to 86400.');
  return Math.round(value * 1_000);
}
