import { describe } from 'vitest';
import { sqliteDatabase } from './databases/sqlite-database.js';
import { testOriginalFaults } from './original-faults.js';

describe('sqlite: the faults of the original', () => {
  testOriginalFaults(sqliteDatabase);
});
