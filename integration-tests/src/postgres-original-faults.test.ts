import { postgresDatabase } from './databases/server-database.js';
import { testOriginalFaults } from './original-faults.js';
import { describeServer } from './servers/describe-server.js';

for (const name of ['postgres', 'postgres-older'] as const) {
  describeServer(name, 'the faults of the original', ({ url }) => {
    testOriginalFaults(() => postgresDatabase(url));
  });
}
