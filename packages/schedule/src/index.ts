export { JobHungError, JobStoppedError, JobTimeoutError } from './job-errors.js';
export { MAX_CHECKPOINT_BYTES } from './job-record.js';
export { answerInterrupted, pauseJob, readJobStatus, readJobStatuses, requestRun, restartJob, resumeJob } from './job-status.js';
export { createScheduler, schedule } from './scheduler.js';

export type { Job, JobEnd } from './job-handle.js';
export type { JobEvent, SkipReason } from './job-events.js';
export type { ErrorPolicy, Instant, InterruptedPolicy, JobOptions, MisfirePolicy, RetryOptions, WaitingPolicy } from './job-options.js';
export type { FinishedOccurrence, JobEndReason, JobRecord, OccurrenceCause, OccurrenceOutcome, RunningOccurrence } from './job-record.js';
export type { JobCallOptions, JobControlResult, JobStatus, ReadJobsOptions } from './job-status.js';
export type { JobContext, JobRun } from './job-types.js';
export type { GroupOptions, Scheduler, ScheduleOptions } from './scheduler.js';
