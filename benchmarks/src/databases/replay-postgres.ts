import pg from 'pg';
import type { Replay, ReplayChanges } from './bench-database.js';
import { listenIn } from './listen-in.js';

/** What the store sends of a statement that is prepared. */
interface NamedQuery {
  readonly name: string;
  readonly text: string;
  readonly values: unknown[];
}

/** The same prepared statements with the same values. */
export async function replayPostgres(connectionString: string, work: () => Promise<unknown>, changes?: ReplayChanges): Promise<Replay> {
  const queries = (await listenIn(pg.Client.prototype, 'query', work)).map(([query]) => query as NamedQuery);
  const client = new pg.Client({ connectionString });
  await client.connect();
  return {
    run: async () => {
      const changed = changes?.next();
      for (const { name, text, values } of queries)
        await client.query({ name, text, values: values.map((value) => (value === changes?.marker ? changed : value)) });
    },
    sentCount: queries.length,
    close: () => client.end(),
  };
}
