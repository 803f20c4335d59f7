import { StoreError, type StoreFinding } from '@wb/core';
import { TABLE_NAMES } from '@wb/sql';
import { serverNumber } from './mysql-errors.js';
import type { Call, MysqlClient } from './mysql-client.js';
import { asBytes } from './mysql-fragments.js';
import { mysqlMigrationSql } from './mysql-migration.js';
import { flavorOf } from './mysql-schema.js';
import { literal, type Columns, type Step } from './mysql-statement.js';

/** MySQL has its binary collation of UTF-8 since 8.0.17. */
const OLDEST = { mysql: [8, 0, 17], mariadb: [10, 6, 0] } as const;

const VARIABLES = [
  ...['read_only', 'super_read_only', 'innodb_flush_log_at_trx_commit', 'sync_binlog', 'log_bin', 'binlog_format'],
  ...['transaction_isolation', 'tx_isolation', 'wsrep_on', 'wsrep_cluster_name', 'group_replication_group_name'],
  ...['rpl_semi_sync_source_enabled', 'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_wait_point', 'rpl_semi_sync_master_wait_point'],
];
const STATUS = [
  ...['wsrep_ready', 'wsrep_cluster_size', 'Rpl_semi_sync_source_status', 'Rpl_semi_sync_source_clients'],
  ...['Rpl_semi_sync_master_status', 'Rpl_semi_sync_master_clients'],
];

const ER_TABLEACCESS_DENIED = 1142;
const ER_COLUMNACCESS_DENIED = 1143;
const ER_NO_SUCH_TABLE = 1146;

/** Variables and status values of a server, by their names in lower case. */
export type Settings = ReadonlyMap<string, string>;

/** What is wrong with a table, as far as this role may see. */
export interface TableRights {
  readonly table: string;
  readonly isThere: boolean;
  readonly lacking: readonly string[];
}

/** Looks at a server. The rights are tried out with statements that match no row. */
export async function diagnoseMysql(client: MysqlClient, call: Call, namespace: string): Promise<readonly StoreFinding[]> {
  const ask: Ask = async (sql, ...names) => {
    const columns: Columns<Texts> = Object.fromEntries(names.map((name) => [name, 'text' as const]));
    const [rows] = await client.run(call, 'bare', [{ sql, columns } satisfies Step<Texts>]);
    return rows;
  };
  const [self] = await ask('select version(), current_user(), database()', 'version', 'role', 'place');
  const settings = await readSettings(ask);
  const pending = await pendingStatements(client, call, namespace);
  const rights: TableRights[] = [];
  for (const name of TABLE_NAMES) rights.push(await rightsOn(client, call, namespace, name));
  return [
    versionFinding(self!),
    pendingFinding(pending, namespace),
    permissionsFinding(rights, self!),
    serverFinding(settings),
    replicationFinding(settings),
    durabilityFinding(settings),
    ...(await collationFindings(ask, namespace, self!)),
    isolationFinding(settings),
    await proxyFinding(client, call),
  ];
}

type Texts = Readonly<Record<string, string>>;

/** Runs a statement that returns texts, and gives them names. */
type Ask = (sql: string, ...names: readonly string[]) => Promise<readonly Texts[]>;

async function readSettings(ask: Ask): Promise<Settings> {
  const inList = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(', ');
  const rows = [
    ...(await ask(`show global variables where variable_name in (${inList(VARIABLES)})`, 'name', 'value')),
    ...(await ask(`show global status where variable_name in (${inList(STATUS)})`, 'name', 'value')),
  ];
  return new Map(rows.map(({ name = '', value = '' }) => [name.toLowerCase(), value]));
}

/** `null`: this role may not see. */
async function pendingStatements(client: MysqlClient, call: Call, namespace: string): Promise<readonly string[] | null> {
  try {
    return await mysqlMigrationSql(client, call, namespace);
  } catch (error) {
    if (isDenied(error)) return null;
    throw error;
  }
}

async function rightsOn(client: MysqlClient, call: Call, namespace: string, name: (typeof TABLE_NAMES)[number]): Promise<TableRights> {
  const table = `\`${namespace}${name}\``;
  const column = { session: 'session_id', lease: 'group_id', term: 'group_id', contender: 'group_id', job: 'job_id', migration: 'name' }[
    name
  ];
  const tries: readonly (readonly [right: string, sql: string])[] = [
    ['select', `select ${column} from ${table} where 1 = 0`],
    ['insert', `insert ignore into ${table} (${column}) select x.name from (select '' as name) x where 1 = 0`],
    ['update', `update ${table} set ${column} = '' where 1 = 0`],
    ['delete', `delete from ${table} where 1 = 0`],
  ];
  const lacking: string[] = [];
  for (const [right, sql] of name === 'migration' ? tries.slice(0, 1) : tries) {
    try {
      await client.run(call, 'write', [{ sql, columns: null } satisfies Step]);
    } catch (error) {
      if (isDenied(error)) lacking.push(right);
      else if (numberOf(error) === ER_NO_SUCH_TABLE) return { table, isThere: false, lacking: [] };
      // A server that is read-only says so elsewhere; it tells a right that is missing before that.
      else if (!(error instanceof StoreError) || error.code !== 'STORE_REFUSED') throw error;
    }
  }
  return { table, isThere: true, lacking };
}

function numberOf(error: unknown): number | null {
  return error instanceof StoreError ? serverNumber(error.cause) : null;
}

function isDenied(error: unknown): boolean {
  const number = numberOf(error);
  return number === ER_TABLEACCESS_DENIED || number === ER_COLUMNACCESS_DENIED;
}

export function versionFinding({ version = '' }: Texts): StoreFinding {
  const flavor = flavorOf(version);
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  const oldest = OLDEST[flavor];
  const summary = `${flavor === 'mysql' ? 'MySQL' : 'MariaDB'} ${version}`;
  const decisive = oldest.findIndex((part, at) => (parts[at] ?? 0) !== part);
  if (decisive === -1 || (parts[decisive] ?? 0) > oldest[decisive]!) return { topic: 'version', state: 'ok', summary };
  return { topic: 'version', state: 'problem', summary: `${summary} is older than ${oldest.join('.')}`, advice: 'update the server' };
}

function pendingFinding(pending: readonly string[] | null, namespace: string): StoreFinding {
  const topic = 'migration';
  if (pending === null) return { topic, state: 'note', summary: 'this role may not see which migrations were applied' };
  if (pending.length === 0) return { topic, state: 'ok', summary: 'the tables are up to date' };
  return {
    topic,
    state: 'problem',
    summary: `the tables \`${namespace}…\` are not there or not up to date`,
    advice: 'run `wb migrate`, as a role with the rights to create tables and indexes; or give it what `wb migrate --print` prints',
  };
}

/** What this role may do, and the statements that give it what is missing. */
export function permissionsFinding(rights: readonly TableRights[], { role = '', place = '' }: Texts): StoreFinding {
  const topic = 'permissions';
  const at = role.lastIndexOf('@');
  const account = `${quoted(role.slice(0, at))}@${quoted(role.slice(at + 1))}`;
  const lacking = rights.filter((table) => table.lacking.length > 0);
  if (lacking.length > 0) {
    return {
      topic,
      state: 'problem',
      summary: `${account} lacks ${lacking.map((table) => `${table.lacking.join(', ')} on ${table.table}`).join('; ')}`,
      advice: lacking.map((table) => `grant ${table.lacking.join(', ')} on ${identifier(place)}.${table.table} to ${account};`).join('\n'),
    };
  }
  if (!rights.some(({ isThere }) => isThere))
    return { topic, state: 'note', summary: `${account}; its rights on the tables can be seen when they are there` };
  return { topic, state: 'ok', summary: `${account} may read and write the tables` };
}

/** Half of an account. In backticks there is nothing that depends on the `sql_mode`, as a backslash in quotes does. */
function quoted(name: string): string {
  return /['\\]/.test(name) ? identifier(name) : `'${name}'`;
}

function identifier(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

function isOn(settings: Settings, name: string): boolean {
  const value = settings.get(name) ?? '';
  return !['', 'OFF', '0'].includes(value.toUpperCase());
}

function serverFinding(settings: Settings): StoreFinding {
  const topic = 'server';
  const on = ['super_read_only', 'read_only'].filter((name) => isOn(settings, name));
  if (on.length === 0) return { topic, state: 'ok', summary: 'takes writes' };
  return {
    topic,
    state: 'problem',
    summary: `${on.join(' and ')} ${on.length === 1 ? 'is' : 'are'} on: a replica, or a server that was taken out of service`,
    advice: 'give the URL of the primary server',
  };
}

/** How the server is replicated, as far as any role may see. */
export function replicationFinding(settings: Settings): StoreFinding {
  const topic = 'replication';
  if (isOn(settings, 'wsrep_on')) {
    const summary = `Galera, cluster ${settings.get('wsrep_cluster_name')}, nodes: ${settings.get('wsrep_cluster_size')}`;
    if (settings.get('wsrep_ready') === 'ON') {
      return {
        topic,
        state: 'note',
        summary,
        advice: 'write to one node at a time: see "Replication, failover, Galera" in the README of @wb/mysql',
      };
    }
    return {
      topic,
      state: 'problem',
      summary: `${summary}; this node is not ready`,
      advice: 'bring it into the cluster, or use another one',
    };
  }
  if ((settings.get('group_replication_group_name') ?? '') !== '') {
    const summary = `Group Replication, group ${settings.get('group_replication_group_name')}`;
    return {
      topic,
      state: 'note',
      summary,
      advice: 'write to one member at a time: see "Replication, failover, Galera" in the README of @wb/mysql',
    };
  }
  if (!isOn(settings, 'log_bin')) return { topic, state: 'ok', summary: 'none: the binary log is off' };
  if (settings.get('binlog_format') === 'STATEMENT') {
    return {
      topic,
      state: 'problem',
      summary: 'binlog_format is STATEMENT, which refuses writes at read committed',
      advice: 'set global binlog_format = ROW;',
    };
  }
  for (const name of ['source', 'master']) {
    if (!isOn(settings, `rpl_semi_sync_${name}_enabled`)) continue;
    const clients = settings.get(`rpl_semi_sync_${name}_clients`);
    const waitPoint = settings.get(`rpl_semi_sync_${name}_wait_point`);
    if (isOn(settings, `rpl_semi_sync_${name}_status`) && clients !== '0' && waitPoint === 'AFTER_SYNC')
      return { topic, state: 'ok', summary: `semi-synchronous (${waitPoint}), replicas: ${clients}` };
    return {
      topic,
      state: 'note',
      summary: `semi-synchronous (${waitPoint}), but replicas that acknowledge: ${clients}: at the moment a failover may lose the last commits (T6)`,
      advice: 'connect a semi-synchronous replica; set the wait point to AFTER_SYNC',
    };
  }
  return {
    topic,
    state: 'note',
    summary:
      'the binary log is on, without semi-synchronous or group replication: if there are replicas, a failover may lose the last commits, and a term may then be handed out twice (T6)',
    advice: 'see "Replication, failover, Galera" in the README of @wb/mysql',
  };
}

/** Whether an acknowledged commit can be lost by a power cut. */
export function durabilityFinding(settings: Settings): StoreFinding {
  const topic = 'durability';
  const wrong: string[] = [];
  const flush = settings.get('innodb_flush_log_at_trx_commit');
  if (flush !== '1' && flush !== '3') wrong.push('innodb_flush_log_at_trx_commit');
  if (isOn(settings, 'log_bin') && settings.get('sync_binlog') !== '1') wrong.push('sync_binlog');
  if (wrong.length === 0) return { topic, state: 'ok', summary: 'a commit is on the disk before it is acknowledged' };
  // What the first one loses is lost; the log is only needed for a replica, or to finish what InnoDB has prepared.
  return {
    topic,
    state: wrong[0] === 'sync_binlog' ? 'note' : 'problem',
    summary: `${wrong.map((name) => `${name} is ${settings.get(name)}`).join(', ')}: a power cut may take grants back, and terms are then handed out twice (T6)`,
    advice: wrong.map((name) => `set global ${name} = 1;`).join('\n'),
  };
}

async function collationFindings(ask: Ask, namespace: string, { version = '' }: Texts): Promise<readonly StoreFinding[]> {
  const topic = 'collation';
  const tables = TABLE_NAMES.map((name) => literal(namespace + name)).join(', ');
  const rows = await ask(
    `select distinct ${asBytes('t.table_name')}, ${asBytes('c.collation_name')}, ${asBytes('t.engine')} from information_schema.tables t
      join information_schema.columns c on c.table_schema = t.table_schema and c.table_name = t.table_name
      where t.table_schema = database() and t.table_name in (${tables}) and c.column_name in ('session_id', 'member_id', 'group_id', 'job_id', 'name')`,
    'name',
    'collation',
    'engine',
  );
  if (rows.length === 0) return [];
  const wanted = flavorOf(version) === 'mysql' ? 'utf8mb4_0900_bin' : 'utf8mb4_nopad_bin';
  const engines = rows.filter(({ engine }) => engine !== 'InnoDB');
  const collations = rows.filter(({ collation }) => collation !== wanted);
  if (engines.length === 0 && collations.length === 0)
    return [{ topic, state: 'ok', summary: `names are compared byte by byte (${wanted})` }];
  const wrong = [
    ...collations.map(({ name, collation }) => `${name} has ${collation} instead of ${wanted}`),
    ...engines.map(({ name, engine }) => `${name} is ${engine} instead of InnoDB`),
  ];
  return [
    {
      topic,
      state: 'problem',
      summary: [...new Set(wrong)].join('; '),
      advice: 'somebody has altered the tables, or made them by hand: alter them back',
    },
  ];
}

function isolationFinding(settings: Settings): StoreFinding {
  const level = settings.get('transaction_isolation') ?? settings.get('tx_isolation');
  return { topic: 'isolation', state: 'ok', summary: `the default is ${level}; the store sets its own for each transaction` };
}

/** A proxy greets with a connection number of its own. One that passes the server's on cannot be told from the server. */
async function proxyFinding(client: MysqlClient, call: Call): Promise<StoreFinding> {
  const topic = 'pooler';
  const [greeted, answers] = await client.lend(call, async ({ connection, send, giveBack }) => {
    const [rows] = await send(['select connection_id()']);
    await giveBack([]);
    return [Reflect.get(connection, 'threadId') as unknown, Number(String((rows as unknown[][])[0]?.[0]))];
  });
  if (typeof greeted !== 'number' || greeted === answers) return { topic, state: 'ok', summary: 'none is seen in between' };
  return {
    topic,
    state: 'note',
    summary: 'a proxy is in between: another connection answers than the one that let us in',
    advice:
      'it must send all statements of this user to the primary server, and a transaction to one server: see "Poolers and proxies" in the README of @wb/mysql',
  };
}
