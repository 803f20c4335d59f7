import { defineLeaseStoreConformance } from '@wb/conformance';
import { describe, it } from 'vitest';
import target from './targets/sqlite.js';

defineLeaseStoreConformance({ describe, it }, target);
