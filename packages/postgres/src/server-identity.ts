import type { DriverClient } from './postgres-connection.js';
import { faultOf } from './postgres-errors.js';

/**
 * Which history a server writes: the cluster's identifier and the timeline, which every promotion of a standby changes. `null`: the server does not say
 * (a database that only speaks PostgreSQL's protocol, or one that keeps these functions back).
 */
export type ServerIdentity = string | null;

/** Any role may ask this; on a standby it would fail. */
const IDENTITY = `select (select system_identifier from pg_control_system())::text || '/' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) as identity`;

/** Asks a server that takes writes. */
export async function readIdentity(client: Pick<DriverClient, 'query'>): Promise<ServerIdentity> {
  try {
    const { rows } = (await client.query(IDENTITY)) as { readonly rows: readonly { readonly identity?: unknown }[] };
    const identity = rows[0]?.identity;
    return typeof identity === 'string' ? identity : null;
  } catch (error) {
    // A broken connection is a fault; a function that is not there is an answer.
    const { code, isFatal, isRetryable } = faultOf(error);
    if (code !== 'STORE_FAULT' && (isFatal === true || isRetryable)) throw error;
    return null;
  }
}
