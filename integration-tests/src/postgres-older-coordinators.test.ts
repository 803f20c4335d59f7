import { testCoordinators } from './coordinators.js';
import { describeServer } from './servers/describe-server.js';
import target from './targets/postgres.js';

describeServer('postgres-older', 'coordinators in several processes', ({ url }) => {
  // The target, and the members' processes, look here.
  process.env['WB_TEST_POSTGRES_URL'] = url;
  testCoordinators(target);
});
