import type { StatementCompiler, StepFactory } from './mysql-statement.js';

/**
 * Which server runs the statement: one expression for both kinds, for MariaDB does not know `@@server_uuid`, and each skips the other's comment. On Galera it is the cluster: what a node has committed, all have
 * received. It stands in statements that are sent anyway, so that it is the server of that very transaction, also behind a proxy, and costs no round trip.
 */
export const SERVER =
  "concat(/*!80000 @@global.server_uuid */ /*M! if(@@global.wsrep_on, concat('galera/', @@global.wsrep_cluster_name), concat_ws('/', @@global.server_id, @@global.hostname, @@global.port)) */)";

/**
 * The cluster that a MySQL server belongs to, whose members lose nothing that one of them has committed: Group Replication, or Galera; `null` without. The variables exist only with the plug-in, so that they are looked up
 * among all: too slow for every heartbeat.
 */
const CLUSTER = `/*!80000 (select max(variable_value) from performance_schema.global_variables
  where variable_name in ('group_replication_group_name', 'wsrep_cluster_name') and variable_value <> '') */ /*M! null */`;

/** A server, and the cluster that it belongs to. */
export interface ServerRow {
  readonly server: string;
  readonly cluster: string | null;
}

/** Whether other servers may take writes to the same tables. */
export function mayHaveOtherWriters({ server, cluster }: ServerRow): boolean {
  return cluster !== null || server.startsWith('galera/');
}

/** Asks a server who it is. */
export interface ServerSql {
  readonly server: StepFactory<Record<never, never>, ServerRow>;
}

export function compileServerSql({ read }: StatementCompiler): ServerSql {
  return Object.freeze<ServerSql>({ server: read(`select ${SERVER}, ${CLUSTER}`, { server: 'text', cluster: 'text' }) });
}
