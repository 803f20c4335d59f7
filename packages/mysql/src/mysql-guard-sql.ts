/**
 * The guard of a table (see docs/fencing.md).
 *
 * The mark is looked at with a lock at each write, since MySQL has no triggers at the commit: shared, or exclusive if it has to rise. It is held until the transaction ends. So all transactions that
 * stated a lower term have ended before the mark rises, and none that comes later passes. The first look, without a lock, only decides which lock is taken: to take the shared one first and then the other would deadlock with
 * whoever does the same. Each statement calls the mark's table by another name: under one name InnoDB would take the strongest of the locks for all of them. (And `set … = (select …)` would be a locking read.)
 *
 * Whether an update states its term cannot be seen by its values if the row has the term already. So the triggers take the term out of the row: the column reads null, and what is the same after an update as before was not stated.
 *
 * @module
 */
import { GUARD_REFUSALS, guardParts, MAX_STATED_TERM, type GuardOptions, type GuardStatements } from '@wb/sql';

const NAMES = {
  maxLength: 64,
  unit: 'characters',
  forbidden: {
    // MySQL (9.7) fails to store a trigger whose text has a doubled backtick and something beyond ASCII in one name.
    pattern: /[\u{10000}-\u{10ffff}]| $|`.*[^ -~]|[^ -~].*`/u,
    inWords: 'without characters above U+FFFF, a blank at its end, or a backtick together with anything beyond ASCII',
  },
  quote: '`',
} as const;

/**
 * DDL that guards a table of yours: a write with a lower term than the table has seen is refused, and so is one that states none. Send all of `create` over one connection. MySQL 8.0.29, MariaDB 10.6 or later; the table has to be
 * one of InnoDB. A guard that is there already is left as it is: to change its column, remove it first.
 *
 * @param table Taken as it is: a dot is part of the name.
 * @throws `WbOptionError` `INVALID_OPTION`, before anything is made.
 */
export function guardStatements(table: string, options: GuardOptions = {}): GuardStatements {
  const { id, mark, column: columnName, addColumn, schema } = guardParts(table, options, NAMES);
  const inPlace = (name: string): string => (schema === null ? id(name) : `${id(schema)}.${id(name)}`);
  const target = inPlace(table);
  const marks = inPlace(mark);
  const column = id(columnName);
  const trigger = (event: 'insert' | 'update' | 'delete', stated: string, last: string): string =>
    `create trigger if not exists ${inPlace(`${mark}_${event}`)} before ${event} on ${target} for each row
begin
  declare wb_stated bigint default ${stated};
  declare wb_seen bigint;
  if wb_stated is null or wb_stated < 1 or wb_stated > ${MAX_STATED_TERM} then
    signal sqlstate '45000' set message_text = '${GUARD_REFUSALS.unstated}';
  end if;
  select look.term into wb_seen from ${marks} look where look.id = 1;
  if wb_seen < wb_stated then
    update ${marks} raised set raised.term = wb_stated where raised.id = 1 and raised.term < wb_stated;
  end if;
  set wb_seen = null;
  select held.term into wb_seen from ${marks} held where held.id = 1 lock in share mode;
  if wb_seen is null or wb_seen > wb_stated then
    signal sqlstate '45000' set message_text = '${GUARD_REFUSALS.stale}';
  end if;
  ${last}
end`;
  return Object.freeze<GuardStatements>({
    create: Object.freeze([
      `create table if not exists ${marks} (id tinyint primary key, term bigint not null) engine = InnoDB`,
      `insert ignore into ${marks} (id, term) values (1, 0)`,
      ...(addColumn ? addColumnIfMissing(table, schema, columnName, `alter table ${target} add column ${column} bigint null`) : []),
      trigger('insert', `new.${column}`, `set new.${column} = null;`),
      trigger(
        'update',
        `if(new.${column} <=> old.${column}, null, abs(new.${column}))`,
        `if new.${column} > 0 then
    set new.${column} = null;
  end if;`,
      ),
      // An update has left the term there, as a negative number.
      trigger('delete', `-old.${column}`, ''),
    ]),
    remove: Object.freeze([
      ...['insert', 'update', 'delete'].map((event) => `drop trigger if exists ${inPlace(`${mark}_${event}`)}`),
      `drop table if exists ${marks}`,
    ]),
  });
}

/** MySQL has no `add column if not exists`. */
function addColumnIfMissing(table: string, schema: string | null, column: string, add: string): readonly string[] {
  const where = `table_schema = ${schema === null ? 'database()' : literal(schema)} and table_name = ${literal(table)} and column_name = ${literal(column)}`;
  return [
    `set @wb_guard = if(exists (select 1 from information_schema.columns where ${where}), 'do 0', ${literal(add)})`,
    'prepare wb_guard from @wb_guard',
    'execute wb_guard',
    'deallocate prepare wb_guard',
  ];
}

/** A text of SQL, whatever `sql_mode` makes of backslashes. */
function literal(text: string): string {
  if (/^[\w `.-]*$/.test(text)) return `'${text}'`;
  return `convert(x'${Buffer.from(text).toString('hex')}' using utf8mb4)`;
}
