import Database from 'better-sqlite3';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2';
import pg from 'pg';
import { countCalls } from './count-calls.js';

/** From now on counts what goes to the database, in this process. A script of several statements in one message is one. */
export const countStatements = {
  postgres: () => countCalls(pg.Client.prototype, 'query'),
  redis: () => countCalls(Redis.prototype, 'sendCommand'),
  sqlite: () => {
    const database = new Database(':memory:');
    const count = countCalls(Object.getPrototypeOf(database.prepare('select 1')) as object, 'run', 'get', 'all', 'iterate');
    database.close();
    return count;
  },
  mysql: (url: string) => {
    // The prototype can only be had from a connection.
    const connection = createConnection({ uri: url });
    connection.on('error', () => undefined);
    let owner: object = connection;
    while (!Object.hasOwn(owner, 'query')) owner = Object.getPrototypeOf(owner) as object;
    const count = countCalls(owner, 'query', 'execute');
    connection.destroy();
    return count;
  },
};
