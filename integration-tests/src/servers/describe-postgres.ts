import { afterAll, describe, it } from 'vitest';
import { startPostgres, type PostgresServer } from './postgres-server.js';

/** Describes what needs a PostgreSQL server of its own: started before, stopped after. Without one it is skipped, with the reason. */
export async function describePostgres(title: string, body: (server: PostgresServer) => void): Promise<void> {
  const server = await startPostgres();
  if (typeof server === 'string') {
    describe(`${title}`, () => {
      it(`needs a server`, (context) => context.skip(server));
    });
    return;
  }
  describe(`${title}`, () => {
    body(server);
    afterAll(() => server.stop());
  });
}
