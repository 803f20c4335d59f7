export { ConformanceFailure } from './conformance-failure.js';
export { defineLeaseStoreConformance } from './define.js';
export { formatReport } from './report.js';
export { runLeaseStoreConformance } from './run.js';

export type { DefineOptions, TestRunner } from './define.js';
export type { ConformanceReport } from './report.js';
export type { CaseResult } from './run-case.js';
export type { ConformanceOptions } from './run.js';
export type { ConformanceTarget, FenceNotes } from './target.js';
