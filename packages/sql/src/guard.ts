/**
 * What the guards of the three databases share: names, and what comes out. A guard is DDL on a table of the user's: a column in which every write states its term, and triggers that compare it with the
 * table's *mark*, the highest term that has written there.
 *
 * @module
 */
import { WbOptionError } from '@wb/core';
import { createHash } from 'node:crypto';

/** Options of `guardStatements`. */
export interface GuardOptions {
  /** Where the table is: a schema (PostgreSQL), a database (MySQL, MariaDB), the name of an attached file (SQLite). Taken as it is. Default: `'public'`; the connection's own database; `'main'`. */
  readonly schema?: string;
  /** The column in which a write states its term. Taken as it is. Default: `'wb_term'`. */
  readonly column?: string;
  /** `false` leaves out the statement that adds the column: the table has it. Default: `true`. */
  readonly addColumn?: boolean;
}

/** The statements of a guard, each to be sent by itself, in this order. */
export interface GuardStatements {
  /** Puts the guard on the table. May be run again. */
  readonly create: readonly string[];
  /** Takes it off: everything but the column, which programs may still write. May be run again. */
  readonly remove: readonly string[];
}

/** What a database says about names. */
export interface GuardNames {
  /** The longest identifier. */
  readonly maxLength: number;
  readonly unit: 'bytes' | 'characters';
  /** Characters that the database does not allow in a name, beside those that none allows. */
  readonly forbidden?: { readonly pattern: RegExp; readonly inWords: string };
  readonly quote: '"' | '`';
}

/** What a guard is made of. */
export interface GuardParts {
  readonly table: string;
  readonly schema: string | null;
  readonly column: string;
  readonly addColumn: boolean;
  /** The name of the table that has the mark; the triggers' names begin with it. */
  readonly mark: string;
  /** Quotes a name. */
  readonly id: (name: string) => string;
}

/** What the database says when it refuses; drivers and libraries hand the text on. */
export const GUARD_REFUSALS: Readonly<Record<'stale' | 'unstated', string>> = Object.freeze({
  stale: 'wb-guard-stale: a later term has written to this table',
  unstated: 'wb-guard-unstated: this write does not state its term',
});

/** The largest term that a write may state: what a client's number can hold. */
export const MAX_STATED_TERM: number = Number.MAX_SAFE_INTEGER;

/** The longest end of a name that a guard makes, e.g. `_delete`. */
const SUFFIX_LENGTH = 8;

const NEVER_IN_NAMES = /[\p{Cc}\p{Cs}]/u;

/**
 * Checks the names that a guard is asked for, and makes its own.
 * @throws {@link WbOptionError} `INVALID_OPTION`, naming the field, its value and the limit.
 */
export function guardParts(table: string, options: GuardOptions, names: GuardNames): GuardParts {
  const { schema, column = 'wb_term', addColumn = true } = options;
  assertIdentifier('table', table, names);
  assertIdentifier('column', column, names);
  if (schema !== undefined) assertIdentifier('schema', schema, names);
  if (typeof addColumn !== 'boolean')
    throw new WbOptionError('INVALID_OPTION', 'addColumn', `\`addColumn\` (${String(addColumn)}) must be true or false`);
  const id = (name: string): string => names.quote + name.replaceAll(names.quote, names.quote + names.quote) + names.quote;
  return { table, schema: schema ?? null, column, addColumn, mark: markName(table, names), id };
}

function assertIdentifier(field: string, value: unknown, { maxLength, unit, forbidden }: GuardNames): void {
  const fail = (shown: string, rule: string): never => {
    throw new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${shown}) must be a name of 1 to ${maxLength} ${unit}${rule}`);
  };
  if (typeof value !== 'string') return fail(typeof value, '');
  const shown = JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  const length = lengthOf(value, unit);
  if (length === 0 || length > maxLength) return fail(shown, `; it has ${length}`);
  if (NEVER_IN_NAMES.test(value)) return fail(shown, ', without control characters and unpaired surrogates');
  if (forbidden?.pattern.test(value)) return fail(shown, `, ${forbidden.inWords}`);
}

function lengthOf(value: string, unit: GuardNames['unit']): number {
  return unit === 'bytes' ? Buffer.byteLength(value) : [...value].length;
}

/** A name that says what it is, and is another one for every table. */
function markName(table: string, { maxLength, unit }: GuardNames): string {
  const name = `wb_guard_${table}`;
  if (lengthOf(name, unit) + SUFFIX_LENGTH <= maxLength) return name;
  const hash = `_${createHash('sha256').update(table).digest('hex').slice(0, 12)}`;
  const characters = [...name];
  while (lengthOf(characters.join('') + hash, unit) + SUFFIX_LENGTH > maxLength) characters.pop();
  return characters.join('') + hash;
}
