import type { Command } from 'commander';
import { openNamed, withCommonOptions, type CommonOptions } from '../common-options.js';
import { print, say } from '../output.js';
import { describeTarget } from '../store-target.js';

/** `wb migrate`: creates or updates the tables. */
export function migrateCommand(program: Command): void {
  withCommonOptions(program.command('migrate'))
    .summary('create or update the tables')
    .description('Creates or updates the tables of the store. Changes nothing when they are up to date. Safe when several run it at once.')
    .addHelpText('after', '\nExamples:\n  wb migrate --store postgres://owner@db/app')
    .action(async (options: CommonOptions) => {
      const { store, target } = await openNamed(options, say);
      try {
        await store.migrate();
        print(`up to date: ${describeTarget(target)}`);
      } finally {
        await store.close();
      }
    });
}
