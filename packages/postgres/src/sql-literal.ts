import type { SqlArguments, SqlStatement, SqlValue } from '@wb/sql';

/** An array of text as PostgreSQL writes it: `{"a","b"}`. A value, not yet a literal. */
export function textArray(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

/** An array of whole numbers as PostgreSQL writes it: `{1,2}`. */
export function wholeArray(values: readonly number[]): string {
  return `{${values.join(',')}}`;
}

/** A value as SQL text. Right with both settings of `standard_conforming_strings`; names have no NUL. */
export function literal(value: SqlValue): string {
  if (value === null) return 'null';
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is no whole number`);
    return value < 0 ? `(${value})` : String(value);
  }
  const quoted = value.replaceAll("'", "''");
  return quoted.includes('\\') ? ` E'${quoted.replaceAll('\\', '\\\\')}'` : `'${quoted}'`;
}

/** A statement's text with its values in it, for the simple protocol: that takes no parameters, but several statements in one message. */
export function inlined<Args extends SqlArguments, Row>({ sql, bind }: SqlStatement<Args, Row>, args: Args): string {
  const values = bind(args);
  return sql.replace(/\$(\d+)/g, (_placeholder, at: string) => literal(values[Number(at) - 1]!));
}
