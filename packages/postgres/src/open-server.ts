import { Socket } from 'node:net';
import type pg from 'pg';
import type { CallScope } from './call-scope.js';
import { sessionSettings, type OpenClient, type SendMode, type ServerLimits } from './postgres-connection.js';
import { readOnlyError } from './postgres-errors.js';
import { readIdentity, type ServerIdentity } from './server-identity.js';
import type { PostgresConnectionConfig } from './user-pool.js';

/** A connection of the store's own, open. */
export interface OwnClient extends OpenClient {
  /** Closes it at once, whatever it is doing. Idempotent. */
  readonly cut: () => void;
}

/** How a server is opened. */
export interface OpenServerOptions extends ServerLimits {
  readonly mode: SendMode;
  /** Whether statements of the user's run on it, too. */
  readonly isLent: boolean;
  readonly connectTimeoutMs: number;
  /** Given, when the socket is made, what says whether anything has come from the server. */
  readonly onSocket: (isHeard: () => boolean) => void;
  /** Called once, when it has ended, whoever ended it. */
  readonly onEnd: (open: OwnClient) => void;
}

/** Connects to one server that takes writes, within the call. */
export async function openServer(config: PostgresConnectionConfig, scope: CallScope, options: OpenServerOptions): Promise<OwnClient> {
  scope.assertGoingOn();
  // Only here: a pool may come from another driver.
  const { default: driver } = await import('pg');
  scope.assertGoingOn();
  const { client, cut, server } = newClient(driver, config, options.onSocket);
  let identity: ServerIdentity;
  try {
    identity = await scope.wait(prepare(client, server, scope, options), {
      limitMs: options.connectTimeoutMs,
      for: `${server} let us in`,
    });
  } catch (error) {
    cut();
    throw error;
  }
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    options.onEnd(open);
  };
  const open: OwnClient = {
    client,
    server,
    identity,
    cut: () => {
      end();
      cut();
    },
  };
  client.on('end', end);
  return open;
}

function newClient(
  driver: typeof pg,
  config: PostgresConnectionConfig,
  onSocket: OpenServerOptions['onSocket'],
): { readonly client: pg.Client; readonly cut: () => void; readonly server: string } {
  const { stream } = config;
  let socket: { destroy(): unknown } | null = null;
  const client = new driver.Client({
    fallback_application_name: 'warm-backup',
    keepAlive: true,
    ...(config as pg.ClientConfig),
    // The store's own deadlines: what the driver's leave behind is a connection that still waits for its answer.
    statement_timeout: undefined,
    lock_timeout: undefined,
    query_timeout: undefined,
    connectionTimeoutMillis: 0,
    // Our own reference to the socket: `end()` waits for a peer that may never answer.
    stream: ((given: unknown) => {
      const made = (typeof stream === 'function' ? (stream as (given: unknown) => Socket)(given) : (stream ?? new Socket())) as Socket;
      socket = made;
      onSocket(() => made.bytesRead > 0);
      return made;
    }) as never,
  });
  // Whoever uses it hears of it by a rejected call.
  client.on('error', () => undefined);
  return { client, cut: () => socket?.destroy(), server: `${client.host}:${client.port}/${client.database ?? ''}` };
}

async function prepare(client: pg.Client, server: string, scope: CallScope, options: OpenServerOptions): Promise<ServerIdentity> {
  await client.connect();
  // Behind a pooler the settings go with every transaction, and so does the look whether the server takes writes.
  if (options.mode === 'inline') return null;
  const results = (await client.query(sessionSettings(options, options.isLent))) as unknown as readonly pg.QueryResult<{
    readOnly: string;
  }>[];
  if (results.at(-1)?.rows[0]?.readOnly !== 'off') throw readOnlyError(scope.operation, server);
  return await readIdentity(client);
}
