/**
 * The thread of {@link LiveCheck}: reads the histories and checks them, as often as it is asked to.
 *
 * @module
 */
import { parentPort } from 'node:worker_threads';
import { check } from './checker.js';
import { HistoryReader } from './history-reader.js';
import type { LiveCheckRequest } from './live-check.js';

const readers = new Map<string, HistoryReader>();

parentPort!.on('message', ({ histories, limits }: LiveCheckRequest) => {
  for (const { process, path } of histories) if (!readers.has(process)) readers.set(process, new HistoryReader(process, path));
  for (const reader of readers.values()) reader.poll();
  const { violations } = check(
    [...readers.values()].map((reader) => reader.upTo(limits.endedAtMs)),
    null,
    limits,
  );
  parentPort!.postMessage(violations.length);
});
