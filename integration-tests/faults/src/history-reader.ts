import { closeSync, openSync, readSync } from 'node:fs';
import type { HistoryRecord, ProcessHistory } from './history.js';

/** Reads a history while it is written. A last line that is not whole yet, or that a kill cut off, is left out. */
export class HistoryReader implements ProcessHistory {
  readonly process: string;
  readonly path: string;
  readonly records: HistoryRecord[] = [];
  /** How often work has begun. */
  beginCount = 0;
  /** The groups in which it goes on, and has not been told to stop. */
  readonly led = new Set<string>();
  readonly #file: number;
  readonly #chunk = Buffer.alloc(1 << 16);
  #rest = '';
  #isClosed = false;

  constructor(process: string, path: string) {
    this.process = process;
    this.path = path;
    this.#file = openSync(path, 'a+');
  }

  /** Reads what has come since. */
  poll(): void {
    for (;;) {
      const size = readSync(this.#file, this.#chunk);
      if (size === 0) return;
      // Records are ASCII, but for names: `JSON.stringify` of a name cut in two would be read wrong, and names here are ASCII.
      const lines = (this.#rest + this.#chunk.toString('latin1', 0, size)).split('\n');
      this.#rest = lines.pop()!;
      for (const line of lines) {
        const record = JSON.parse(line) as HistoryRecord;
        if (record.kind === 'begin') {
          this.beginCount += 1;
          this.led.add(record.group);
        } else if (record.kind === 'abort' || record.kind === 'end') this.led.delete(record.group);
        this.records.push(record);
      }
    }
  }

  /**
   * What was written until then, as far as it was read. Histories are read one after the other: by one instant for all, what came of something is not seen without what came before it.
   */
  upTo(untilMs: number): ProcessHistory {
    return { process: this.process, records: this.records.slice(0, this.records.findLastIndex(({ atMs }) => atMs <= untilMs) + 1) };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#file);
  }
}
