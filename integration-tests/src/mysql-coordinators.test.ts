import { testCoordinators } from './coordinators.js';
import { describeServer } from './servers/describe-server.js';
import target from './targets/mysql.js';

describeServer('mysql', 'coordinators in several processes', () => {
  testCoordinators(target);
});
