import { testCoordinators } from './coordinators.js';
import { describeServer } from './servers/describe-server.js';
import target from './targets/mariadb.js';

describeServer('mariadb-older', 'coordinators in several processes', ({ url }) => {
  // The target, and the members' processes, look here.
  process.env['WB_TEST_MARIADB_URL'] = url;
  testCoordinators(target);
});
