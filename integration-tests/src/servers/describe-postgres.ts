import { afterAll, describe, expect, it } from 'vitest';
import { startPostgres, type PostgresServer } from './postgres-server.js';

/** Describes what needs a PostgreSQL server of its own: started before, stopped after. Without one it is skipped, with the reason. */
export async function describePostgres(title: string, body: (server: PostgresServer) => void): Promise<void> {
  const server = await startPostgres();
  describe(`PostgreSQL: ${title}`, () => {
    if (typeof server === 'string') skip(server);
    else run(server, body);
  });
}

function skip(reason: string): void {
  it('needs a server', (context) => {
    context.skip(reason);
    expect.unreachable();
  });
}

function run(server: PostgresServer, body: (server: PostgresServer) => void): void {
  body(server);
  afterAll(() => server.stop());
}
