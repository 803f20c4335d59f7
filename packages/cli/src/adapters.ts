import { existsSync } from 'node:fs';
import type { LeaseStore } from '@wb/core';
import { CliError } from './cli-error.js';

/** The database of the original's record, field by field. */
export interface DatabaseFields {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

/** Where the store is. */
export type StoreTarget =
  | { readonly adapter: 'postgres' | 'mysql'; readonly connectionString: string }
  | { readonly adapter: 'postgres' | 'mysql'; readonly fields: DatabaseFields }
  | { readonly adapter: 'sqlite'; readonly filename: string };

const DRIVERS = { postgres: 'pg', mysql: 'mysql2', sqlite: 'better-sqlite3' } as const;

/**
 * What a store is for, which matters with SQLite, where whoever opens a file may create it. `'use'`: it is created if need be. `'look'`: it must be there, and stays as it is. `'await'`: so, too, but it may come later.
 * `'plan'`: what is missing counts as empty.
 */
export type StorePurpose = 'use' | 'look' | 'await' | 'plan';

/** What is the same for all stores. */
export interface StoreSettings {
  /** What the names of the tables begin with. Default: the store's. */
  readonly namespace?: string;
  /** The schema of the tables, of PostgreSQL. Default: the store's. */
  readonly schema?: string;
  /** Whether a pooler in transaction mode is in between. Default: `false`. */
  readonly pooler?: boolean;
}

/**
 * Makes the store of a target. Nothing is asked of the database yet.
 * @throws {@link CliError} when the adapter or its driver is not installed or not built, or there is no such file; `WbOptionError` as the adapter does.
 */
export async function openStore(
  target: StoreTarget,
  { namespace, schema, pooler = false }: StoreSettings,
  purpose: StorePurpose,
): Promise<LeaseStore> {
  const common = namespace === undefined ? {} : { namespace };
  if (schema !== undefined && target.adapter !== 'postgres') {
    throw new CliError('--schema: only PostgreSQL has schemas', {
      hint: target.adapter === 'mysql' ? 'name the database in the URL' : 'leave it out',
    });
  }
  try {
    switch (target.adapter) {
      case 'postgres': {
        // The store loads its driver with the first call.
        const [{ postgresLeaseStore }] = await Promise.all([import('@wb/postgres'), import('pg')]);
        const given = { ...common, pooler, ...(schema === undefined ? {} : { schema }) };
        if ('connectionString' in target) return postgresLeaseStore({ connectionString: target.connectionString, ...given });
        return postgresLeaseStore({ config: { ...target.fields }, ...given });
      }
      case 'mysql': {
        const { mysqlLeaseStore } = await import('@wb/mysql');
        // What pushes hints there is a lock of a connection, which a pooler would share.
        const hints = !pooler;
        if ('connectionString' in target) return mysqlLeaseStore({ connectionString: target.connectionString, ...common, hints });
        return mysqlLeaseStore({ poolOptions: { ...target.fields }, ...common, hints });
      }
      case 'sqlite': {
        if (pooler) throw new CliError('--pooler: there is none before a file', { hint: 'leave it out' });
        const [{ sqliteLeaseStore }, { default: Database }] = await Promise.all([import('@wb/sqlite'), import('better-sqlite3')]);
        assertBuilt(() => new Database(':memory:').close());
        const { filename } = target;
        if (purpose === 'use') return sqliteLeaseStore({ filename, ...common });
        if (purpose !== 'await' && !existsSync(filename)) {
          if (purpose === 'look') throw missingFile(filename);
          // What it would get when it were there and empty.
          return sqliteLeaseStore({ filename: ':memory:', ...common });
        }
        return sqliteLeaseStore({ filename, fileMustExist: true, ...common });
      }
    }
  } catch (error) {
    throw missingAdapter(target.adapter, error) ?? error;
  }
}

/** There is no SQLite file to look at. */
export function missingFile(filename: string, cause?: unknown): CliError {
  return new CliError(`there is no SQLite file ${filename}`, { hint: '`wb run` and `wb migrate` create it', cause });
}

/** The native part of a driver is loaded with its first database, and not with its module. */
function assertBuilt(tryOut: () => unknown): void {
  try {
    tryOut();
  } catch (error) {
    throw new CliError(
      'better-sqlite3 is installed, but its native part cannot be loaded: it was not built, or for another version of Node',
      {
        hint: 'npm rebuild better-sqlite3',
        cause: error,
      },
    );
  }
}

function missingAdapter(adapter: StoreTarget['adapter'], error: unknown): CliError | null {
  if (!(error instanceof Error) || Reflect.get(error, 'code') !== 'ERR_MODULE_NOT_FOUND') return null;
  return new CliError(`the store for ${adapter} is not installed`, {
    hint: `npm install @wb/${adapter} ${DRIVERS[adapter]} kysely`,
    cause: error,
  });
}
