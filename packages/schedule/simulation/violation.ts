/** What must hold of jobs, beside the numbered rules of docs/protocol.md. */
export type JobRule =
  /** No scheduled time and no occurrence is begun twice, but by a retry or a rerun that its policies want. */
  | 'once'
  /** Work begins only when its claim is in the store, and its member leads. */
  | 'claim'
  /** Each scheduled time is run or counted as skipped, and each occurrence has one outcome, the one that its work came to. */
  | 'account'
  /** Nothing that a record has counted is taken back. */
  | 'forward'
  /** `maxCount` is of the whole group. */
  | 'max-count'
  /** What a leader runs that leads is not interrupted. */
  | 'interrupted'
  /** A job never runs beside itself. */
  | 'beside'
  /** What `checkpoint` was acknowledged is found by whoever goes on. */
  | 'checkpoint'
  /** Once faults stop, each job is current within a TTL and a heartbeat. */
  | 'live'
  /** What an operator has written stands until it is done, or another writes. */
  | 'operator'
  /** An orderly end leaves nothing behind. */
  | 'end'
  /** Of an ended leadership nothing is written. */
  | 'O4';

/** Something that must hold and did not. */
export class Violation extends Error {
  readonly rule: JobRule;

  constructor(rule: JobRule, message: string) {
    super(`${rule}: ${message}`);
    this.name = 'Violation';
    this.rule = rule;
  }
}
