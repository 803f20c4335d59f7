/**
 * The guard of a table (see docs/fencing.md).
 *
 * The mark is looked at when the transaction commits, by a deferred constraint trigger that locks it: `for share`, or for the update that raises it. So all transactions that stated a lower term have ended before the
 * mark rises, and none that comes later passes; and a process that is frozen inside of its transaction has locked nothing but its own rows. Another trigger looks without a lock at each write, for an early refusal.
 *
 * Whether an update states its term cannot be seen by its values: a row may have the term already. A trigger `update of` the column fires only if the statement names it, and before the other one, by its name: it moves the
 * value out of the range of terms, and the other one moves it back.
 *
 * @module
 */
import { GUARD_REFUSALS, guardParts, MAX_STATED_TERM, type GuardOptions, type GuardStatements } from '@wb/sql';

const NAMES = { maxLength: 63, unit: 'bytes', quote: '"' } as const;

/** Far above every term; twice of it is no `bigint`. */
const NAMED = '4611686018427387904';

/**
 * DDL that guards a table of yours: a write with a lower term than the table has seen is refused, and so is one that states none. Run `create` in one transaction. PostgreSQL 13 or later.
 *
 * @param table Taken as it is: case counts, and a dot is part of the name.
 * @throws `WbOptionError` `INVALID_OPTION`, before anything is made.
 */
export function guardStatements(table: string, options: GuardOptions = {}): GuardStatements {
  const { id, mark, column: columnName, addColumn, schema } = guardParts(table, { schema: 'public', ...options }, NAMES);
  const place = id(schema ?? 'public');
  const target = `${place}.${id(table)}`;
  const marks = `${place}.${id(mark)}`;
  const check = `${place}.${id(`${mark}_check`)}`;
  const name = `${place}.${id(`${mark}_name`)}`;
  const column = id(columnName);
  const triggers = { named: id(`${mark}_1`), early: id(`${mark}_2`), late: id(`${mark}_3`), truncate: id(`${mark}_4`) };
  const drops = Object.values(triggers).map((trigger) => `drop trigger if exists ${trigger} on ${target}`);
  return Object.freeze<GuardStatements>({
    create: Object.freeze([
      `create table if not exists ${marks} (id smallint primary key check (id = 1), term bigint not null)`,
      `insert into ${marks} (id, term) values (1, 0) on conflict do nothing`,
      ...(addColumn ? [`alter table ${target} add column if not exists ${column} bigint`] : []),
      functionOf(
        name,
        `
begin
  new.${column} := new.${column} + ${NAMED};
  return new;
end`,
      ),
      functionOf(check, checkBody(marks, column)),
      ...drops,
      `create trigger ${triggers.named} before update of ${column} on ${target} for each row execute function ${name}()`,
      `create trigger ${triggers.early} before insert or update or delete on ${target} for each row execute function ${check}()`,
      `create constraint trigger ${triggers.late} after insert or update or delete on ${target} deferrable initially deferred for each row execute function ${check}()`,
      `create trigger ${triggers.truncate} before truncate on ${target} for each statement execute function ${check}()`,
    ]),
    remove: Object.freeze([
      ...drops,
      `drop function if exists ${check}()`,
      `drop function if exists ${name}()`,
      `drop table if exists ${marks}`,
    ]),
  });
}

/** With the rights of its owner: who writes to the table needs none on the mark. */
function functionOf(name: string, body: string): string {
  const tag = dollarTag(body);
  return `create or replace function ${name}() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as ${tag}${body}
${tag}`;
}

/** A dollar quote that the body, with its hostile names, does not have. */
function dollarTag(body: string): string {
  let tag = '$wb$';
  for (let n = 1; body.includes(tag); n += 1) tag = `$wb${n}$`;
  return tag;
}

function checkBody(marks: string, column: string): string {
  const refuse = (kind: 'stale' | 'unstated', code: string): string =>
    `raise exception using errcode = '${code}', message = '${GUARD_REFUSALS[kind]}'`;
  return `
declare
  stated bigint;
  seen bigint;
begin
  if tg_op = 'TRUNCATE' then
    ${refuse('unstated', 'WB002')};
  elsif tg_op = 'DELETE' then
    stated := -old.${column};
  elsif tg_op = 'UPDATE' then
    if tg_when = 'BEFORE' then
      if new.${column} is null or new.${column} < ${NAMED} - ${MAX_STATED_TERM} then
        ${refuse('unstated', 'WB002')};
      end if;
      new.${column} := new.${column} - ${NAMED};
    end if;
    stated := abs(new.${column});
  else
    stated := new.${column};
  end if;
  if stated is null or stated < 1 or stated > ${MAX_STATED_TERM} then
    ${refuse('unstated', 'WB002')};
  end if;
  select m.term into seen from ${marks} m where m.id = 1;
  if tg_when = 'AFTER' then
    if seen < stated then
      update ${marks} m set term = stated where m.id = 1 and m.term < stated;
    end if;
    select m.term into seen from ${marks} m where m.id = 1 for share;
  end if;
  if seen is null or seen > stated then
    ${refuse('stale', 'WB001')};
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end`;
}
