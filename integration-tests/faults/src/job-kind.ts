/** How often a job is due, in ms: seldom enough that what was missed while nothing could be done is made up for in the rest of the time, also by the slowest database on two cores. */
export const JOB_EVERY_MS = 400;

/**
 * What a job is for. `all`: nothing is given up, and each occurrence writes itself down, unless that is there already: it is there exactly once. `once`: what was interrupted, failed or missed is let go, and each occurrence writes a row whatever
 * there is: nothing but the claim keeps a second one out.
 */
export type JobKind = 'all' | 'once';

/** Names of groups with a job of that name each, of both kinds. */
export function jobNames(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${at % 2 === 0 ? 'all' : 'once'}-${at + 1}`);
}

export function kindOf(job: string): JobKind {
  return job.startsWith('once') ? 'once' : 'all';
}
