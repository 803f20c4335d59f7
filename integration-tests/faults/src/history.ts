import { closeSync, openSync, writeSync } from 'node:fs';

/** What a member saw, in the order in which it saw it. `atMs` is on the machine's monotonic clock. */
export type HistoryRecord = { readonly atMs: number } & (
  | { readonly kind: 'started'; readonly member: string; readonly process: string }
  /** Work began. Trusted until `untilMs` at least. */
  | { readonly kind: 'begin'; readonly group: string; readonly term: number; readonly session: string; readonly untilMs: number }
  /** A unit of work. `atMs` was read before the lease was looked at. */
  | { readonly kind: 'unit'; readonly group: string; readonly term: number; readonly untilMs: number }
  /** A fenced write was sent; what came of it is in `written`, `refused`, or nowhere (unknown). */
  | { readonly kind: 'write'; readonly group: string; readonly term: number; readonly id: string }
  /** It saw `earlierCount` entries of earlier terms; `null`: it did not look. */
  | { readonly kind: 'written'; readonly id: string; readonly earlierCount: number | null }
  | { readonly kind: 'refused'; readonly id: string }
  /** The signal aborted. */
  | { readonly kind: 'abort'; readonly group: string; readonly term: number; readonly reason: string }
  /** The work settled. */
  | { readonly kind: 'end'; readonly group: string; readonly term: number }
  /** The lease is not held any more, and the signal has not aborted yet: the work waits for it. */
  | { readonly kind: 'unheld'; readonly group: string; readonly term: number }
  /** It has waited for a TTL, in vain. */
  | { readonly kind: 'untold'; readonly group: string; readonly term: number }
  /** The store has opened or extended the session; `sentAtMs` was read when that was asked for. Nothing is made of it before this is written. */
  | { readonly kind: 'extended'; readonly session: string; readonly sentAtMs: number }
  /** What was made of it: leases of the session are trusted until `untilMs`. */
  | { readonly kind: 'trust'; readonly session: string; readonly untilMs: number }
  /** A claim was sent. What came of it is in `claimed`, or nowhere (unknown). */
  | { readonly kind: 'claim'; readonly id: number; readonly session: string; readonly groups: readonly string[] }
  /** The claim was answered: these were granted, and no others. */
  | { readonly kind: 'claimed'; readonly id: number; readonly granted: readonly { readonly group: string; readonly term: number }[] }
  /** A heartbeat for a session that was lost at `lostAtMs`, long enough ago for it to be dead, was answered as if it lived. */
  | { readonly kind: 'revived'; readonly session: string; readonly lostAtMs: number }
  /** An attempt at an occurrence of a job began. `atMs` was read before the lease was looked at. */
  | {
      readonly kind: 'job';
      readonly job: string;
      readonly occurrence: number;
      readonly scheduledAtMs: number;
      readonly term: number;
      readonly attempt: number;
      readonly isRerun: boolean;
      readonly isHeld: boolean;
    }
  | { readonly kind: 'session'; readonly state: string; readonly reason: string }
);

/** The history of one process. */
export interface ProcessHistory {
  /** Names the process: a member may be started several times. */
  readonly process: string;
  readonly records: readonly HistoryRecord[];
}

/** Appends to a file with one system call a record: a kill loses nothing that was written. */
export class HistoryWriter {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(record: HistoryRecord): void {
    writeSync(this.#file, `${JSON.stringify(record)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}
