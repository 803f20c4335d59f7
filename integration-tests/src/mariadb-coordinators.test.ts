import { testCoordinators } from './coordinators.js';
import { describeServer } from './servers/describe-server.js';
import target from './targets/mariadb.js';

describeServer('mariadb', 'coordinators in several processes', () => {
  testCoordinators(target);
});
