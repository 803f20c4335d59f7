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
 * Makes the store of a target. Nothing is asked of the database yet.
 * @param namespace What the names of the tables begin with; `undefined`: the store's default.
 * @throws {@link CliError} when the adapter or its driver is not installed; `WbOptionError` as the adapter does.
 */
export async function openStore(target: StoreTarget, namespace?: string): Promise<LeaseStore> {
  const common = namespace === undefined ? {} : { namespace };
  try {
    switch (target.adapter) {
      case 'postgres': {
        const { postgresLeaseStore } = await import('@wb/postgres');
        if ('connectionString' in target) return postgresLeaseStore({ connectionString: target.connectionString, ...common });
        return postgresLeaseStore({ config: { ...target.fields }, ...common });
      }
      case 'mysql': {
        const { mysqlLeaseStore } = await import('@wb/mysql');
        if ('connectionString' in target) return mysqlLeaseStore({ connectionString: target.connectionString, ...common });
        return mysqlLeaseStore({ poolOptions: { ...target.fields }, ...common });
      }
      case 'sqlite': {
        const { sqliteLeaseStore } = await import('@wb/sqlite');
        return sqliteLeaseStore({ filename: target.filename, ...common });
      }
    }
  } catch (error) {
    throw missingAdapter(target.adapter, error) ?? error;
  }
}

function missingAdapter(adapter: StoreTarget['adapter'], error: unknown): CliError | null {
  if (!(error instanceof Error) || Reflect.get(error, 'code') !== 'ERR_MODULE_NOT_FOUND') return null;
  return new CliError(`the store for ${adapter} is not installed`, {
    hint: `npm install @wb/${adapter} ${DRIVERS[adapter]} kysely`,
    cause: error,
  });
}
