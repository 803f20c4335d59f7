import type { ConformanceCase } from '../conformance-case.js';
import { batchCases } from './batches.js';
import { callCases } from './calls.js';
import { fenceCases } from './fences.js';
import { hintCases } from './hints.js';
import { leaseCases } from './leases.js';
import { modelCases } from './model.js';
import { occurrenceCases } from './occurrences.js';
import { processCases } from './processes.js';
import { raceCases } from './races.js';
import { sessionCases } from './sessions.js';
import { resignCases, termCases } from './terms.js';
import { timeCases } from './time.js';

/** Every case, by rule and number. */
export const conformanceCases: readonly ConformanceCase[] = Object.freeze(
  [
    ...sessionCases,
    ...leaseCases,
    ...batchCases,
    ...raceCases,
    ...modelCases,
    ...timeCases,
    ...callCases,
    ...hintCases,
    ...fenceCases,
    ...termCases,
    ...resignCases,
    ...occurrenceCases,
    ...processCases,
  ].toSorted((a, b) => compareIds(a.id, b.id)),
);

function compareIds(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
