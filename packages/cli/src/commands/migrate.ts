import type { Command } from 'commander';
import type { LeaseStore } from '@wb/core';
import { CliError } from '../cli-error.js';
import { openNamed, withCommonOptions, type CommonOptions } from '../common-options.js';
import { print, say } from '../output.js';
import { describeTarget } from '../store-target.js';

/** `wb migrate`: creates or updates the tables. */
export function migrateCommand(program: Command): void {
  withCommonOptions(program.command('migrate'))
    .summary('create or update the tables')
    .description(
      'Creates or updates the tables of the store. Changes nothing when they are up to date. Safe when several run it at once. With --print it only looks, and prints what is to be run.',
    )
    .option('--print', 'print the SQL that is still to be run, and change nothing')
    .addHelpText(
      'after',
      `
Examples:
  wb migrate --store postgres://owner@db/app
  wb migrate --store postgres://app@db/app --print > for-the-dba.sql`,
    )
    .action(async (options: CommonOptions & { readonly print?: boolean }) => {
      const { store, target } = await openNamed(options, say, options.print === true ? 'plan' : 'use');
      try {
        if (options.print === true) {
          const script = migrationScript(await migrationSqlOf(store)(), describeTarget(target));
          if (script === '') say(`up to date: ${describeTarget(target)}`);
          else print(script);
        } else {
          await store.migrate();
          print(`up to date: ${describeTarget(target)}`);
        }
      } finally {
        await store.close();
      }
    });
}

function migrationSqlOf(store: LeaseStore): NonNullable<LeaseStore['migrationSql']> {
  if (store.migrationSql === undefined) throw new CliError('the store has no SQL to print', { hint: 'run `wb migrate` instead' });
  return store.migrationSql.bind(store);
}

/** Statements as a script for the database's own shell; empty if there are none. @param place For people: goes into a comment. */
export function migrationScript(statements: readonly string[], place: string): string {
  if (statements.length === 0) return '';
  // A name in it must not end the comment.
  const comment = `-- brings up to date, once: ${place.replaceAll(/\p{C}/gu, '�')}`;
  return [comment, ...statements.map((statement) => `${statement};`)].join('\n');
}
