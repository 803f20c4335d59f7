import { testCoordinators } from './coordinators.js';
import { describeServer } from './servers/describe-server.js';
import target from './targets/postgres.js';

describeServer('postgres', 'coordinators in several processes', () => {
  testCoordinators(target);
});
