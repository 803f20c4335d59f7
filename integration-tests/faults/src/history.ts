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
  | { readonly kind: 'written'; readonly id: string }
  | { readonly kind: 'refused'; readonly id: string }
  /** The signal aborted. */
  | { readonly kind: 'abort'; readonly group: string; readonly term: number; readonly reason: string }
  /** The work settled. */
  | { readonly kind: 'end'; readonly group: string; readonly term: number }
  /** A claim was sent. */
  | { readonly kind: 'claim'; readonly groups: readonly string[] }
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
