import { fromWarmBackupConfig, WbOptionError, type WarmBackupConfig, type WarmBackupSettings } from '@wb/core';
import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import type { DatabaseFields, StoreTarget } from './adapters.js';
import { CliError } from './cli-error.js';
import { keyPosition } from './key-position.js';

/** What a configuration file says, in the words of this library. */
export interface FileSettings {
  readonly coordinator: WarmBackupSettings['coordinator'];
  readonly groupId: string;
  readonly target: StoreTarget;
}

type FieldType = 'string' | 'number' | 'table';

const RECORD: Readonly<Record<string, FieldType>> = {
  taskId: 'string',
  groupId: 'string',
  heartbeatFrequency: 'number',
  livenessCheckInterval: 'number',
  databaseConfig: 'table',
};
const DATABASE: Readonly<Record<string, FieldType>> = {
  host: 'string',
  user: 'string',
  password: 'string',
  database: 'string',
  port: 'number',
  type: 'string',
  dbType: 'string',
};

/** What follows from a value of the file is refused under a name of ours. */
const FILE_KEYS: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  memberId: 'taskId',
  ttlMs: 'livenessCheckInterval',
  safetyMarginMs: 'livenessCheckInterval',
  callDeadlineMs: 'livenessCheckInterval',
  heartbeatMs: 'heartbeatFrequency',
});

/** The names that the original's file may give a database. */
const TYPES: ReadonlyMap<string, 'postgres' | 'mysql'> = new Map([
  ['postgres', 'postgres'],
  ['postgresql', 'postgres'],
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
]);

/**
 * Reads a file of the original, unchanged: its record, in seconds. `WB_DATABASE_USER` and `WB_DATABASE_PASSWORD` go before what the file says, so that
 * no secret need be in it.
 * @throws {@link CliError} with line and column.
 */
export function readConfigFile(path: string, env: NodeJS.ProcessEnv = process.env): FileSettings {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${Reflect.get(error as Error, 'code') as string}`, {
      hint: 'give the path of a Config.toml',
      cause: error,
    });
  }
  return parseConfig(text, path, env);
}

/** {@link readConfigFile} of a text. `path` is for messages. */
export function parseConfig(text: string, path: string, env: NodeJS.ProcessEnv): FileSettings {
  const table = parseToml(text, path);
  assertTable(table, RECORD, [], { text, path });
  const database = (table['databaseConfig'] ?? {}) as Record<string, unknown>;
  assertTable(database, DATABASE, ['databaseConfig'], { text, path });
  for (const key of ['taskId', 'groupId']) {
    if (table[key] === undefined)
      throw new CliError(`${path}: \`${key}\` is missing`, { hint: `add ${key} = "…" above the first [table]` });
  }
  try {
    const { coordinator, groupId } = fromWarmBackupConfig(table as unknown as WarmBackupConfig);
    return { coordinator, groupId, target: databaseTarget(database, { text, path }, env) };
  } catch (error) {
    if (!(error instanceof WbOptionError)) throw error;
    throw new CliError(`${at(text, path, [FILE_KEYS[error.field] ?? error.field])}${error.message}`, { cause: error });
  }
}

interface Source {
  readonly text: string;
  readonly path: string;
}

function parseToml(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The message goes on with an excerpt of the file, which may show a password.
    const what = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
    throw new CliError(`${path}:${error.line}:${error.column}: not TOML: ${what}`, { hint: 'see https://toml.io' });
  }
}

function assertTable(
  table: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, FieldType>>,
  parents: readonly string[],
  { text, path }: Source,
): void {
  for (const [key, value] of Object.entries(table)) {
    const place = at(text, path, [...parents, key]);
    const type = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (type === undefined) {
      const where = parents.length === 0 ? '' : ` in [${parents.join('.')}]`;
      throw new CliError(`${place}unknown key ${JSON.stringify(key)}${where}`, { hint: `known: ${Object.keys(fields).join(', ')}` });
    }
    const found = typeOf(value);
    // The value is not shown: it may be a password at a wrong place.
    if (found !== type) throw new CliError(`${place}\`${key}\` must be a ${type}, and is a ${found}`);
  }
}

function typeOf(value: unknown): string {
  if (typeof value !== 'object') return typeof value;
  if (Array.isArray(value)) return 'list';
  return value !== null && Object.getPrototypeOf(value) !== null && value.constructor !== Object ? 'date' : 'table';
}

function databaseTarget(config: Readonly<Record<string, unknown>>, { text, path }: Source, env: NodeJS.ProcessEnv): StoreTarget {
  const { type, dbType, port, host, database } = config as Record<string, string | undefined> & { port?: number };
  const adapters = Object.entries({ type, dbType }).flatMap(([key, name]) => {
    if (name === undefined) return [];
    const adapter = TYPES.get(name.toLowerCase());
    if (adapter !== undefined) return [adapter];
    throw new CliError(`${at(text, path, ['databaseConfig', key])}\`${key}\` (${JSON.stringify(name)}) is no database that is known`, {
      hint: `known: ${[...TYPES.keys()].join(', ')}`,
    });
  });
  if (new Set(adapters).size > 1) {
    throw new CliError(
      `${at(text, path, ['databaseConfig', 'dbType'])}\`dbType\` (${JSON.stringify(dbType)}) and \`type\` (${JSON.stringify(type)}) are two databases`,
      { hint: 'leave one of them out' },
    );
  }
  // The original's own file names no type: its database is PostgreSQL, unless the port says otherwise.
  const adapter = adapters[0] ?? (port === 3306 ? 'mysql' : 'postgres');
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw new CliError(`${at(text, path, ['databaseConfig', 'port'])}\`port\` (${port}) must be a whole number from 1 to 65535`);
  }
  const user = env['WB_DATABASE_USER'] ?? config['user'];
  const password = env['WB_DATABASE_PASSWORD'] ?? config['password'];
  const given = Object.entries({ host: host ?? 'localhost', port, database, user, password }).filter(([, value]) => value !== undefined);
  return { adapter, fields: Object.fromEntries(given) as DatabaseFields };
}

function at(text: string, path: string, keys: readonly string[]): string {
  const position = keyPosition(text, keys);
  return position === null ? `${path}: ` : `${path}:${position.line}:${position.column}: `;
}
