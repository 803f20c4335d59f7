import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';

const CPUS: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** libfaketime (Debian's package `faketime`), which moves the wall clock of single processes; `null` where it is not installed. */
export function findLibfaketime(): string | null {
  const path = `/usr/lib/${CPUS[arch()] ?? arch()}-linux-gnu/faketime/libfaketimeMT.so.1`;
  return existsSync(path) ? path : null;
}

/** Makes a process that has the library loaded follow the offset in a file. Its monotonic clock stays the machine's. */
export function clockEnvironment(offsetFile: string): Record<string, string> {
  return {
    FAKETIME_TIMESTAMP_FILE: offsetFile,
    // Read each time: with a cache, the processes of one server would for a while have different clocks.
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    // Files keep their real times.
    NO_FAKE_STAT: '1',
  };
}

/** Writes an offset (`+3600` s, `-3600`, `+0 x1.1`) in one step: nobody reads half a file. */
export function setOffset(file: string, offset: string): void {
  writeFileSync(`${file}.next`, `${offset}\n`, { mode: 0o644 });
  renameSync(`${file}.next`, file);
}
