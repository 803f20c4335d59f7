import { watch } from 'node:fs';
import { fileIdentity, MISSING } from './file-identity.js';

/**
 * Tells of every write to a file, until it is closed; `onEnd` if it cannot tell any more. Keeps no process alive. Whether an event means that the file was moved is not believed: macOS says so of a write that does not make the file longer.
 *
 * @throws If the file is not there, or cannot be watched.
 */
export function watchFile(path: string, onWrite: () => void, onEnd: (cause: unknown) => void): { close(): void } {
  const identity = fileIdentity(path);
  const watcher = watch(path, { persistent: false }, (event) => {
    if (event === 'change' || (identity !== MISSING && fileIdentity(path) === identity)) onWrite();
    else onEnd(new Error('it was moved or deleted'));
  });
  watcher.on('error', onEnd);
  return watcher;
}
