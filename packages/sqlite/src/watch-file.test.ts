import { appendFileSync, openSync, renameSync, writeSync, closeSync, writeFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { watchFile } from './watch-file.js';

const listeners = vi.hoisted(() => [] as ((event: string) => void)[]);
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  return {
    ...fs,
    watch: (path: string, options: { persistent: boolean }, listener: (event: string) => void) => {
      listeners.push(listener);
      return fs.watch(path, options, listener);
    },
  };
});

const SOON = { timeout: 5_000, interval: 2 };

describe('watchFile', () => {
  const folder = temporaryFolder();

  it('tells of each write, in place or at the end, and of the end of the file', async () => {
    const path = folder.path('log');
    writeFileSync(path, 'begin');
    let writes = 0;
    const ends: unknown[] = [];
    const watching = watchFile(
      path,
      () => (writes += 1),
      (cause) => ends.push(cause),
    );
    appendFileSync(path, 'more');
    await vi.waitFor(() => expect(writes).toBeGreaterThan(0), SOON);
    writes = 0;
    const file = openSync(path, 'r+');
    writeSync(file, 'B', 0);
    closeSync(file);
    await vi.waitFor(() => expect(writes).toBeGreaterThan(0), SOON);
    expect(ends).toEqual([]);
    renameSync(path, folder.path('elsewhere'));
    await vi.waitFor(() => expect(ends).not.toEqual([]), SOON);
    watching.close();
  });

  it('an event that says that the file was moved is a write if the file is where it was, as on macOS', () => {
    const path = folder.path('log');
    writeFileSync(path, 'begin');
    const told: string[] = [];
    const watching = watchFile(
      path,
      () => told.push('write'),
      () => told.push('end'),
    );
    listeners.at(-1)!('rename');
    expect(told).toEqual(['write']);
    watching.close();
  });

  it('a file that is not there cannot be watched', () => {
    expect(() =>
      watchFile(
        folder.path('none'),
        () => undefined,
        () => undefined,
      ),
    ).toThrow(/ENOENT/);
  });
});
