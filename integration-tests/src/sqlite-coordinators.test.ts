import { describe } from 'vitest';
import { testCoordinators } from './coordinators.js';
import { sqliteFolder } from './targets/sqlite-folder.js';
import target from './targets/sqlite.js';

describe('sqlite: coordinators in several processes', () => {
  // Made here: the members' processes inherit it. Without that, each would make one of its own.
  sqliteFolder();
  testCoordinators(target);
});
