import { TABLE_NAMES, type SqlArguments, type SqlValue } from '@wb/sql';

/** What comes back in a column: everything is read as raw bytes, so that no option of the driver has a say. */
export type ColumnKind = 'text' | 'integer';

/** The columns of a statement that returns rows, in the order of the `select` list. */
export type Columns<Row> = { readonly [Name in keyof Row]: ColumnKind };

/** A statement with its values in it: ready to be sent. `Row` is what it returns; `never` if it returns none. */
export interface Step<Row = never> {
  readonly sql: string;
  readonly columns: Columns<Row> | null;
}

/** A statement that was prepared once; give it values. */
export type StepFactory<Args extends SqlArguments, Row = never> = (args: Args) => Step<Row>;

/** A statement with placeholders, to be sent by somebody else. */
export interface StatementText {
  readonly sql: string;
  /** The arguments, in the order of the placeholders. */
  readonly names: readonly string[];
}

/** Prepares statements for the tables of one namespace. */
export interface StatementCompiler {
  /** A statement with `?` for each value. */
  readonly text: (text: string) => StatementText;
  /** A statement that returns no rows. `{session}` stands for the table, `:name` for the value of an argument. */
  readonly write: <Args extends SqlArguments>(text: string) => StepFactory<Args>;
  /** As `write`, with `(:names)` standing for a list of texts. */
  readonly writeMany: (text: string) => (names: readonly string[]) => Step;
  /** A statement that returns rows. */
  readonly read: <Args extends SqlArguments, Row>(text: string, columns: Columns<Row>) => StepFactory<Args, Row>;
}

/**
 * Prepares statements. Values are written into the text as literals that mean the same in every `sql_mode` and with every character set of the connection:
 * a text as `_utf8mb4 0x…`, which needs no quotes and no escapes. Placeholders would: the driver fills them in by itself, with backslashes, which
 * `NO_BACKSLASH_ESCAPES` takes literally; and the server's own prepared statements take one statement a packet.
 */
export function statementCompiler(namespace: string): StatementCompiler {
  const tables = new Map<string, string>(TABLE_NAMES.map((name) => [name, `\`${namespace}${name}\``]));
  const split = (text: string): string[] => {
    const source = text
      .replaceAll(/\s+/g, ' ')
      .trim()
      .replaceAll(/\{(\w+)\}/g, (_all, name: string) => tables.get(name)!);
    // Texts and names take turns. A time of day in a literal is followed by a digit, a name begins with a letter.
    return source.split(/:([a-z]\w*)/i);
  };
  const compile = (text: string): ((args: SqlArguments) => string) => {
    const pieces = split(text);
    return (args) => pieces.map((piece, at) => (at % 2 === 0 ? piece : literal(args[piece]!))).join('');
  };
  return {
    text: (text) => {
      const pieces = split(text);
      return { sql: pieces.filter((_piece, at) => at % 2 === 0).join('?'), names: pieces.filter((_piece, at) => at % 2 === 1) };
    },
    write: (text) => {
      const toSql = compile(text);
      return (args) => ({ sql: toSql(args), columns: null });
    },
    writeMany: (text) => {
      const [before, after] = compile(text.replace('(:names)', '(?)'))({}).split('?') as [string, string];
      return (names) => ({ sql: before + literals(names) + after, columns: null });
    },
    read: (text, columns) => {
      const toSql = compile(text);
      return (args) => ({ sql: toSql(args), columns });
    },
  };
}

/** Texts as the inside of `in (…)`. With none, nothing is in it. */
function literals(values: readonly string[]): string {
  return values.length === 0 ? 'null' : values.map(literal).join(', ');
}

/** A value as a literal. */
export function literal(value: SqlValue): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return value === '' ? "_utf8mb4 ''" : `_utf8mb4 0x${Buffer.from(value, 'utf8').toString('hex')}`;
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a whole number`);
  return String(value);
}

/** Makes rows of what the driver returned for a step. */
export function decodeRows<Row>(columns: Columns<Row>, rows: unknown): Row[] {
  const entries = Object.entries(columns) as [keyof Row, ColumnKind][];
  return (rows as unknown[][]).map((cells) => {
    const row: Partial<Record<keyof Row, unknown>> = {};
    for (const [at, [name, kind]] of entries.entries()) row[name] = decodeCell(cells[at], kind);
    return row as Row;
  });
}

function decodeCell(cell: unknown, kind: ColumnKind): string | number | null {
  if (cell === null || cell === undefined) return null;
  const text = Buffer.isBuffer(cell) ? cell.toString('utf8') : `${cell as number}`;
  return kind === 'text' ? text : Number(text);
}
