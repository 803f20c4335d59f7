export { systemClock } from './clock.js';
export { createCoordinator } from './coordinator.js';
export { FencedError, LeaseNotHeldError, StoreError, WbError, WbOptionError } from './errors.js';
export { assertFenceLease, fencedError, fenceWaitMs, holdMsLeft, resolveHoldMs, transactionOverError } from './fence.js';
export { assertJobWrite, jobWriteResult } from './job-input.js';
export { assertMetadata, MAX_METADATA_BYTES } from './metadata.js';
export { assertName, MAX_NAME_LENGTH } from './names.js';
export { MAX_JOB_RECORD_BYTES } from './occurrence-store.js';
export { LeadershipEndedError } from './reasons.js';
export { runWithinHold } from './run-within-hold.js';
export { hasPassed, instantAfter } from './trust.js';
export { assertBatch, assertLeases, assertNewSession, MAX_TTL_MS } from './session-input.js';
export { assertHistoryRequest, assertReason, MAX_REASON_LENGTH, MAX_TERM_RECORDS } from './term-record.js';
export { assertDuration, resolveTimings } from './timings.js';
export { fromWarmBackupConfig } from './warm-backup-config.js';

export type { Clock, LocalInstant, Timer } from './clock.js';
export type {
  BackOffOptions,
  Coordinator,
  CoordinatorOptions,
  CoordinatorStatus,
  GroupStatus,
  Leader,
  LeadOptions,
  LeadResult,
  Lease,
  Observation,
  Observer,
  Work,
  WorkContext,
} from './coordinator-types.js';
export type { StoreErrorCode, StoreErrorOptions, StoreErrorReason, StoreOutcome, WbErrorCode, WbErrorOptions } from './errors.js';
export type { FencedFate, FencedOptions, FenceLease, FenceStatement } from './fence.js';
export type {
  CoordinatorEvent,
  CoordinatorEventKind,
  GroupEvent,
  OverrunEvent,
  SessionEvent,
  StoreFaultEvent,
  StoreRecoveredEvent,
} from './events.js';
export type {
  CallOptions,
  ClaimResult,
  HeartbeatRequest,
  HeartbeatResult,
  HeldLeases,
  HeldLeaseView,
  HolderHealth,
  LeaseHint,
  LeaseHolder,
  LeaseKey,
  LeaseRelease,
  LeaseStore,
  LeaseStoreCapabilities,
  LeaseView,
  MemberView,
  NewSession,
  ReleaseResult,
} from './lease-store.js';
export { MAX_STANDBY_RANK } from './lease-store.js';
export type { JobEntry, JobWrite, JobWriteResult, OccurrenceStore } from './occurrence-store.js';
export type { GroupReason, SessionReason, YieldReason } from './reasons.js';
export type { HoldLimits } from './run-within-hold.js';
export type { FindingState, StoreFinding } from './store-finding.js';
export type { ResignRequestResult, TermRecord } from './term-record.js';
export type { TimingOptions, Timings } from './timings.js';
export type { WarmBackupConfig, WarmBackupSettings } from './warm-backup-config.js';
