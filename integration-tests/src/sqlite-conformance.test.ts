import { defineLeaseStoreConformance } from '@wb/conformance';
import { afterAll, describe, it } from 'vitest';
import handle from './targets/sqlite-handle.js';
import { removeSqliteFolder } from './targets/sqlite-folder.js';
import file from './targets/sqlite.js';

for (const target of [file, handle]) defineLeaseStoreConformance({ describe, it }, target);

afterAll(removeSqliteFolder);
