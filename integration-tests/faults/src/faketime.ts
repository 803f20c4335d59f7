import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const CPUS: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** libfaketime (Debian's package `faketime`), which moves the wall clock of single processes; `null` where it is not installed. */
export function findLibfaketime(): string | null {
  const path = `/usr/lib/${CPUS[arch()] ?? arch()}-linux-gnu/faketime/libfaketimeMT.so.1`;
  return existsSync(path) ? path : null;
}

/** How long a process that looks now and then goes by the offset that was there before, in ms: a "cache duration" of 0 lasts until the machine's clock has another second. */
const LOOKS_EVERY_MS = 1_000;

/**
 * How a process looks at its offset. `'always'`: with each look at the clock, which costs more than most statements of a database; needed where several processes share a clock, since each of them would otherwise have another one for a while.
 * `'now and then'`: once a second.
 */
export type ClockLooks = 'always' | 'now and then';

/** Makes a process that has the library loaded follow the offset in a file. Its monotonic clock stays the machine's. */
export function clockEnvironment(offsetFile: string, looks: ClockLooks = 'always'): Record<string, string> {
  return {
    FAKETIME_TIMESTAMP_FILE: offsetFile,
    ...(looks === 'always' ? { FAKETIME_NO_CACHE: '1' } : { FAKETIME_CACHE_DURATION: '0' }),
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    // A rate counts from when it is set, and not from when the process began: else it would come with a step.
    FAKETIME_XRESET: '1',
    // Files keep their real times.
    NO_FAKE_STAT: '1',
  };
}

/** Writes an offset (`+3600` s, `-3600`, `+0 x1.1`) in one step: nobody reads half a file. */
export function setOffset(file: string, offset: string): void {
  writeFileSync(`${file}.next`, `${offset}\n`, { mode: 0o644 });
  renameSync(`${file}.next`, file);
}

/** As {@link setOffset}; resolves when a process that looks at it like this goes by it. */
export async function moveClock(file: string, offset: string, looks: ClockLooks): Promise<void> {
  setOffset(file, offset);
  if (looks !== 'always') await sleep(1.2 * LOOKS_EVERY_MS);
}

/** Removes what libfaketime leaves in memory of a process that was killed: the next process with that number would fail on it. */
export function forgetFaketime(processId: number | undefined): void {
  if (processId === undefined) return;
  for (const name of [`faketime_shm_${processId}`, `sem.faketime_sem_${processId}`]) rmSync(join('/dev/shm', name), { force: true });
}
