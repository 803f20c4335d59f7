/**
 * The guard of a table (see docs/fencing.md). There is one writer at a time: the mark is looked at under its lock.
 *
 * Whether an update states its term cannot be seen by its values: a row may have the term already. A trigger `update of` the column fires only if the statement names it: it leaves the term with the mark, where the
 * trigger after the update takes it away.
 *
 * @module
 */
import { GUARD_REFUSALS, guardParts, MAX_STATED_TERM, type GuardOptions, type GuardStatements } from '@wb/sql';

/** SQLite has no limit; names that come in from outside should have one. */
const NAMES = { maxLength: 255, unit: 'characters', quote: '"' } as const;

/**
 * DDL that guards a table of yours: a write with a lower term than the table has seen is refused, and so is one that states none. Run `create` in one transaction. SQLite cannot add a column only if it is missing: where
 * `pragma_table_info` has it, say `addColumn: false`.
 *
 * @param table Taken as it is: a dot is part of the name.
 * @throws `WbOptionError` `INVALID_OPTION`, before anything is made.
 */
export function guardStatements(table: string, options: GuardOptions = {}): GuardStatements {
  const parts = guardParts(table, { schema: 'main', ...options }, NAMES);
  const { id, mark: markName, column: columnName, addColumn, schema } = parts;
  const place = id(schema ?? 'main');
  // In a trigger names have no schema: they are looked for where the trigger is.
  const mark = id(markName);
  const column = id(columnName);
  const triggerName = (event: string): string => `${place}.${id(`${markName}_${event}`)}`;
  const drops = ['insert', 'name', 'update', 'delete'].map((event) => `drop trigger if exists ${triggerName(event)}`);
  const trigger = (event: string, when: string, body: readonly string[]): string =>
    `create trigger ${triggerName(event)} ${when} on ${id(table)} begin\n${body.map((line) => `  ${line};\n`).join('')}end`;
  const states = (term: string): string => `coalesce(typeof(${term}) = 'integer' and ${term} between 1 and ${MAX_STATED_TERM}, 0)`;
  const refuse = (kind: 'stale' | 'unstated', condition: string): string =>
    `select raise(abort, '${GUARD_REFUSALS[kind]}') where ${condition}`;
  const refuseStale = (term: string): string => refuse('stale', `not exists (select 1 from ${mark} where id = 1 and term <= ${term})`);
  const raiseMark = (term: string): string => `update ${mark} set term = ${term} where id = 1 and term < ${term}`;
  const updated = `abs(new.${column})`;
  return Object.freeze<GuardStatements>({
    create: Object.freeze([
      `create table if not exists ${place}.${mark} (id integer primary key check (id = 1), term integer not null, named integer) strict`,
      `insert or ignore into ${place}.${mark} (id, term) values (1, 0)`,
      ...(addColumn ? [`alter table ${place}.${id(table)} add column ${column} integer`] : []),
      ...drops,
      trigger('insert', 'after insert', [
        refuse('unstated', `not ${states(`new.${column}`)}`),
        refuseStale(`new.${column}`),
        raiseMark(`new.${column}`),
      ]),
      trigger('name', `before update of ${column}`, [`update ${mark} set named = new.${column} where id = 1`]),
      trigger('update', 'after update', [
        refuse('unstated', `not ${states(updated)} or not exists (select 1 from ${mark} where id = 1 and named = new.${column})`),
        refuseStale(updated),
        `update ${mark} set named = null, term = max(term, ${updated}) where id = 1`,
      ]),
      // The stated value is the row's: an update has left it there as a negative number.
      trigger('delete', 'after delete', [
        refuse('unstated', `not ${states(`-old.${column}`)}`),
        refuseStale(`-old.${column}`),
        raiseMark(`-old.${column}`),
      ]),
    ]),
    remove: Object.freeze([...drops, `drop table if exists ${place}.${mark}`]),
  });
}
