import type { Command } from 'commander';
import { adapterGuard, type Guard } from '../adapter-guard.js';
import { CliError } from '../cli-error.js';
import { openNamed, withCommonOptions, type CommonOptions } from '../common-options.js';
import { print, say } from '../output.js';
import { describeTarget } from '../store-target.js';

interface GuardCommandOptions extends CommonOptions {
  readonly column?: string;
  readonly remove?: boolean;
  readonly apply?: boolean;
}

/** `wb guard`: DDL for a table that refuses writes of a lower term than it has seen. */
export function guardCommand(program: Command): void {
  withCommonOptions(program.command('guard'))
    .summary('let a table of yours refuse writes of leaders of the past')
    .description(
      'Prints DDL that puts a guard on a table of yours: every write must state its term in a column, and the database refuses one with a lower term than the table has seen. Only with --apply is anything changed.',
    )
    .argument('<table>', 'the table, or schema.table; a name with a dot or a quote in it stands in double quotes: \'"my.table"\'')
    .option('--column <name>', 'the column in which a write states its term (default: wb_term)')
    .option('--remove', 'take the guard off the table instead; the column stays')
    .option('--apply', 'run the statements instead of printing them')
    .addHelpText(
      'after',
      `
Examples:
  wb guard invoice --store postgres://owner@db/app > guard.sql
  wb guard billing.invoice --apply --store postgres://owner@db/app
  wb guard invoice --remove --apply --store mysql://owner@db/app`,
    )
    .action(async (text: string, options: GuardCommandOptions) => {
      const name = parseTableName(text);
      const { store, target } = await openNamed(options, say, 'look');
      await store.close();
      const { column, remove = false, apply = false } = options;
      await using guard = await adapterGuard(target, { ...name, ...(column === undefined ? {} : { column }) });
      const statements = guard.statements[remove ? 'remove' : 'create'];
      if (apply) {
        await guard.apply(statements);
        print(`${remove ? 'removed from' : 'guards'} ${text}: ${describeTarget(target)}`);
      } else print(guardScript(statements, guard, describeTarget(target)));
    });
}

/** A table as it is written on the command line. */
export interface TableName {
  readonly table: string;
  readonly schema?: string;
}

/**
 * Reads `table` or `schema.table`; either may stand in double quotes, and then has every other double quote doubled.
 * @throws {@link CliError}
 */
export function parseTableName(text: string): TableName {
  const part = String.raw`"(?:[^"]|"")+"|[^".]+`;
  const [, schema, table] = new RegExp(`^(?:(${part})\\.)?(${part})$`, 's').exec(text) ?? [];
  if (table === undefined) {
    throw new CliError(`${JSON.stringify(text)} is not the name of a table`, {
      hint: 'give TABLE or SCHEMA.TABLE; a name with a dot or a quote in it stands in double quotes, and every double quote in it is doubled',
    });
  }
  const plain = (name: string): string => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);
  return { table: plain(table), ...(schema === undefined ? {} : { schema: plain(schema) }) };
}

/**
 * Statements as a script for the database's own shell.
 * @param place For people: goes into a comment.
 */
export function guardScript(statements: readonly string[], { inTransaction }: Pick<Guard, 'inTransaction'>, place: string): string {
  // A name in it must not end the comment.
  const comment = `-- for ${place.replaceAll(/\p{C}/gu, '�')}`;
  if (inTransaction) return [comment, 'begin;', ...statements.map((sql) => `${sql};`), 'commit;'].join('\n');
  // The shell of MySQL would cut the bodies of triggers at their semicolons.
  let end = '//';
  while (statements.some((sql) => sql.includes(end))) end += '/';
  return [comment, `delimiter ${end}`, ...statements.map((sql) => `${sql}${end}`), 'delimiter ;'].join('\n');
}
