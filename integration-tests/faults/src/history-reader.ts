import { closeSync, openSync, readSync } from 'node:fs';
import type { HistoryRecord, ProcessHistory } from './history.js';

/** Reads a history while it is written. A last line that is not whole yet, or that a kill cut off, is left out. */
export class HistoryReader implements ProcessHistory {
  readonly process: string;
  readonly records: HistoryRecord[] = [];
  /** How often work has begun. */
  beginCount = 0;
  readonly #file: number;
  readonly #chunk = Buffer.alloc(1 << 16);
  #rest = '';

  constructor(process: string, path: string) {
    this.process = process;
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
        if (record.kind === 'begin') this.beginCount += 1;
        this.records.push(record);
      }
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}
