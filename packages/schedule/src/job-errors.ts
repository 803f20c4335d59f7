import { WbError } from '@wb/core';

/** The `reason` of the signal of an attempt that has taken longer than `timeoutMs`. */
export class JobTimeoutError extends WbError {
  constructor(jobId: string, timeoutMs: number) {
    super('JOB_TIMED_OUT', `the run of job ${JSON.stringify(jobId)} has taken longer than \`timeoutMs\` (${timeoutMs})`);
  }
}

/** The `reason` of the signal of an attempt whose job, or whose whole group, was stopped at once on this member. */
export class JobStoppedError extends WbError {
  constructor(jobId: string, why: string) {
    super('JOB_STOPPED', `the run of job ${JSON.stringify(jobId)} was stopped: ${why}`);
  }
}

/** Ends the leadership of a member on which a run does not settle: another one goes on. */
export class JobHungError extends WbError {
  constructor(jobId: string, settleMs: number) {
    super(
      'JOB_TIMED_OUT',
      `the run of job ${JSON.stringify(jobId)} has not settled within \`settleMs\` (${settleMs}) after its signal aborted: this member yields`,
    );
  }
}
