import { createConnection, type Connection } from 'mysql2/promise';
import type { Replay, ReplayChanges } from './bench-database.js';
import { listenIn } from './listen-in.js';

/** The same packets. (Several statements in one packet cannot be prepared.) */
export async function replayMysql(uri: string, work: () => Promise<unknown>, changes?: ReplayChanges): Promise<Replay> {
  const connection = await createConnection({ uri, multipleStatements: true });
  const packets = (await listenIn(queryOwner(connection), 'query', work)).map(([packet]) => packet as Parameters<Connection['query']>[0]);
  return {
    run: async () => {
      const changed = changes === undefined ? null : String(changes.next());
      for (const packet of packets)
        await connection.query(changed === null ? packet : { ...packet, sql: packet.sql.replaceAll(String(changes!.marker), changed) });
    },
    sentCount: packets.length,
    close: () => connection.end(),
  };
}

/** Where the driver's connections, whether of a pool or not, have `query` from. */
function queryOwner(connection: Connection): object {
  let owner: object = (connection as Connection & { readonly connection: object }).connection;
  while (!Object.hasOwn(owner, 'query')) owner = Object.getPrototypeOf(owner) as object;
  return owner;
}
