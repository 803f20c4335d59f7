import type { StoreFinding } from '@wb/core';
import { TABLE_NAMES } from '@wb/sql';
import type { PostgresConnection } from './postgres-connection.js';
import { faultOf } from './postgres-errors.js';
import { postgresMigrationSql, type MigrationPlace } from './postgres-migration.js';
import { literal } from './sql-literal.js';

const OLDEST_VERSION = 13;
const RIGHTS = ['select', 'insert', 'update', 'delete'] as const;

/** What a diagnosis needs to know. */
export interface DiagnosisPlace extends MigrationPlace {
  /** Whether the store was told of a pooler. */
  readonly pooler: boolean;
}

type Row = Readonly<Record<string, unknown>>;

/**
 * Looks at a server, with read rights alone.
 * @param besideTransaction Runs something while another connection of the store is in a transaction.
 */
export async function diagnosePostgres(
  connection: PostgresConnection,
  place: DiagnosisPlace,
  besideTransaction: <T>(body: () => Promise<T>) => Promise<T>,
): Promise<readonly StoreFinding[]> {
  const [server] = await connection.query(serverSql());
  const tables = await connection.query(tablesSql(place));
  const [schema] = await connection.query(schemaSql(place));
  const pending = await pendingStatements(connection, place);
  const pooler = await lookForPooler(connection, server!, besideTransaction);
  return [
    versionFinding(server!),
    pendingFinding(pending, schema, place),
    permissionsFinding(tables, schema, server!, place),
    replicationFinding(server!),
    durabilityFinding(tables, server!),
    historyFinding(connection, place),
    ...collationFindings(tables),
    isolationFinding(server!),
    poolerFinding(pooler, place),
  ];
}

function serverSql(): string {
  const settings = ['server_version', 'synchronous_standby_names', 'fsync', 'full_page_writes', 'default_transaction_isolation'];
  return `select current_user::text as role, pg_backend_pid() as pid, pg_is_in_recovery() as "isStandby",
    ${settings.map((name) => `current_setting('${name}', true) as ${name}`).join(', ')},
    (select count(*) from pg_stat_replication)::int as standbys,
    (select count(*) from pg_stat_replication where sync_state in ('sync', 'quorum'))::int as "syncStandbys",
    (select count(*) from pg_stat_replication where sync_state is null)::int as "unseenStandbys"`;
}

function tablesSql({ schema, namespace }: DiagnosisPlace): string {
  const names = TABLE_NAMES.map((name) => literal(namespace + name)).join(', ');
  return `select c.relname::text as name, c.relpersistence::text as persistence,
    ${RIGHTS.map((right) => `has_table_privilege(c.oid, '${right}') as ${quoted(right)}`).join(', ')},
    (select string_agg(distinct l.collname::text, ', ') from pg_attribute a join pg_collation l on l.oid = a.attcollation
      where a.attrelid = c.oid and not a.attisdropped and a.attname in ('session_id', 'member_id', 'group_id', 'job_id', 'name')) as collations
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = ${literal(schema)} and c.relkind in ('r', 'p') and c.relname in (${names}) order by c.relname`;
}

function schemaSql({ schema }: DiagnosisPlace): string {
  return `select has_schema_privilege(oid, 'usage') as usage, has_schema_privilege(oid, 'create') as "create" from pg_namespace where nspname = ${literal(schema)}`;
}

/** `null`: this role may not see. */
async function pendingStatements(connection: PostgresConnection, place: DiagnosisPlace): Promise<readonly string[] | null> {
  try {
    return await postgresMigrationSql(connection, 'diagnose', place);
  } catch (error) {
    if (faultOf(error).code !== 'STORE_REFUSED') throw error;
    return null;
  }
}

function versionFinding({ server_version: version }: Row): StoreFinding {
  const major = Number.parseInt(String(version), 10);
  const summary = `PostgreSQL ${String(version)}`;
  if (!(major < OLDEST_VERSION)) return { topic: 'version', state: 'ok', summary };
  return { topic: 'version', state: 'problem', summary: `${summary} is older than ${OLDEST_VERSION}`, advice: 'update the server' };
}

function pendingFinding(pending: readonly string[] | null, schema: Row | undefined, place: DiagnosisPlace): StoreFinding {
  const topic = 'migration';
  if (pending === null) return { topic, state: 'note', summary: 'this role may not see which migrations were applied' };
  if (pending.length === 0) return { topic, state: 'ok', summary: 'the tables are up to date' };
  const mayCreate = schema?.['create'] === true;
  return {
    topic,
    state: 'problem',
    summary: `the tables ${quoted(`${place.namespace}…`)} in schema ${quoted(place.schema)} are not there or not up to date`,
    advice: mayCreate
      ? 'run `wb migrate`'
      : 'this role may not create them: run `wb migrate` as one that may, or give it what `wb migrate --print` prints',
  };
}

function permissionsFinding(tables: readonly Row[], schema: Row | undefined, server: Row, place: DiagnosisPlace): StoreFinding {
  const role = String(server['role']);
  const topic = 'permissions';
  const missing: string[] = [];
  const grants: string[] = [];
  if (schema !== undefined && schema['usage'] !== true) {
    missing.push(`usage on schema ${place.schema}`);
    grants.push(`grant usage on schema ${quoted(place.schema)} to ${quoted(role)};`);
  }
  for (const table of tables) {
    const name = String(table['name']);
    const needed = name === `${place.namespace}migration` ? (['select'] as const) : RIGHTS;
    const lacking = needed.filter((right) => table[right] !== true);
    if (lacking.length === 0) continue;
    missing.push(`${lacking.join(', ')} on ${name}`);
    grants.push(`grant ${lacking.join(', ')} on ${quoted(place.schema)}.${quoted(name)} to ${quoted(role)};`);
  }
  if (missing.length > 0) {
    return { topic, state: 'problem', summary: `role ${quoted(role)} lacks ${missing.join('; ')}`, advice: grants.join('\n') };
  }
  if (tables.length === 0)
    return { topic, state: 'note', summary: `role ${quoted(role)}; its rights on the tables can be seen when they are there` };
  return { topic, state: 'ok', summary: `role ${quoted(role)} may read and write the tables` };
}

function replicationFinding(server: Row): StoreFinding {
  const topic = 'replication';
  const names = typeof server['synchronous_standby_names'] === 'string' ? server['synchronous_standby_names'] : '';
  const [standbys, syncStandbys, unseen] = [server['standbys'], server['syncStandbys'], server['unseenStandbys']].map(Number) as [
    number,
    number,
    number,
  ];
  if (server['isStandby'] === true) {
    return {
      topic,
      state: 'problem',
      summary: 'this server is a standby, and takes no writes',
      advice: 'give the URL of the primary server',
    };
  }
  if (names !== '') {
    if (standbys === 0) {
      return {
        topic,
        state: 'problem',
        summary: `synchronous_standby_names is ${JSON.stringify(names)}, and no standby is connected: commits wait for it`,
        advice: 'connect a standby, or take it out of synchronous_standby_names',
      };
    }
    const seen = unseen === standbys ? 'this role may not see which are synchronous' : `${syncStandbys} of them synchronous`;
    return {
      topic,
      state: 'ok',
      summary: `primary; synchronous_standby_names is ${JSON.stringify(names)}, standbys: ${standbys}, ${seen}`,
    };
  }
  if (standbys === 0) return { topic, state: 'ok', summary: 'primary; no standby is connected' };
  return {
    topic,
    state: 'note',
    summary: `primary; standbys: ${standbys}, all asynchronous: a failover may lose the last commits, and a term may then be handed out twice (T6)`,
    advice: 'set synchronous_standby_names; see "Replication and failover" in the README of @wb/postgres',
  };
}

function durabilityFinding(tables: readonly Row[], server: Row): StoreFinding {
  const topic = 'durability';
  const faults = ['fsync', 'full_page_writes'].filter((name) => server[name] === 'off').map((name) => `${name} is off`);
  const unlogged = tables.filter((table) => table['persistence'] === 'u').map((table) => `${String(table['name'])} is unlogged`);
  const wrong = [...faults, ...unlogged];
  if (wrong.length === 0) return { topic, state: 'ok', summary: 'a commit is on the disk before it is acknowledged' };
  return {
    topic,
    state: 'problem',
    summary: `${wrong.join(', ')}: a crash of the server may take grants back, and terms are then handed out twice (T6)`,
    advice: [
      ...faults.map((fault) => `set ${fault.replace(' is off', ' = on')} in postgresql.conf`),
      ...unlogged.map((fault) => `alter table ${fault.replace(' is unlogged', '')} set logged;`),
    ].join('\n'),
  };
}

function historyFinding({ identity }: PostgresConnection, { pooler }: DiagnosisPlace): StoreFinding {
  const topic = 'failover';
  if (identity !== null) return { topic, state: 'ok', summary: `a failover to another server is noticed: this one is ${identity} (T6)` };
  return pooler
    ? { topic, state: 'note', summary: 'behind a pooler a failover to another server is not noticed by itself (T6)' }
    : {
        topic,
        state: 'note',
        summary: 'the server does not say which history it writes: a failover to another one is not noticed by itself (T6)',
        advice: 'grant execute on function pg_control_system(), pg_walfile_name(pg_lsn) to public;',
      };
}

function collationFindings(tables: readonly Row[]): readonly StoreFinding[] {
  if (tables.length === 0) return [];
  const wrong = tables.filter((table) => table['collations'] !== 'C');
  const topic = 'collation';
  if (wrong.length === 0) return [{ topic, state: 'ok', summary: 'names are compared byte by byte ("C")' }];
  return [
    {
      topic,
      state: 'problem',
      summary: `names are not compared byte by byte in ${wrong.map((table) => `${String(table['name'])} (${String(table['collations'])})`).join(', ')}`,
      advice: 'somebody has altered the tables: alter their columns back to collate "C"',
    },
  ];
}

function isolationFinding(server: Row): StoreFinding {
  const summary = `the default is ${String(server['default_transaction_isolation'])}; the store sets read committed for itself`;
  return { topic: 'isolation', state: 'ok', summary };
}

type PoolerKind = 'transaction' | 'unknown' | null;

/** A pooler greets with a process number of its own. One that passes the server's on cannot be told from the server. */
async function lookForPooler(
  connection: PostgresConnection,
  { pid }: Row,
  besideTransaction: <T>(body: () => Promise<T>) => Promise<T>,
): Promise<PoolerKind> {
  const greeted: unknown = Reflect.get(connection.client, 'processID');
  if (typeof greeted !== 'number' || greeted === Number(pid)) return null;
  // In transaction mode it gives the connection that we used last to whoever begins a transaction, and us another one.
  const [now] = await besideTransaction(() => connection.query('select pg_backend_pid() as pid'));
  return Number(now?.['pid']) === Number(pid) ? 'unknown' : 'transaction';
}

function poolerFinding(seen: PoolerKind, { pooler }: DiagnosisPlace): StoreFinding {
  const topic = 'pooler';
  if (pooler) {
    const summary = 'the store was told of a pooler: it has no hints, a hand-over is noticed by the next heartbeat';
    return seen === null ? { topic, state: 'note', summary: `${summary}; none is seen` } : { topic, state: 'ok', summary };
  }
  switch (seen) {
    case null:
      return { topic, state: 'ok', summary: 'none is seen in between' };
    case 'unknown':
      return {
        topic,
        state: 'note',
        summary:
          'something like PgBouncer is in between: another process answers than the one that let us in; it is not seen to be in transaction mode',
      };
    case 'transaction':
      return {
        topic,
        state: 'problem',
        summary:
          'a pooler in transaction mode is in between, and the store was not told: hints and prepared statements do not work through it',
        advice: 'connect to the server itself, or tell the store: `--pooler`, or the option `pooler: true`',
      };
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
