import type { TargetClient, TargetServer } from '../target.js';
import { sqliteClient, startSqlite } from './sqlite.js';

/** Every target: how a member talks to it, and how it is started. */
export const targets: Readonly<
  Record<string, { readonly client: TargetClient; readonly start: () => Promise<TargetServer> | TargetServer }>
> = {
  sqlite: { client: sqliteClient, start: startSqlite },
};
