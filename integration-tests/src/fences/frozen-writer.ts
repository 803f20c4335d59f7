import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { WriterMessage, WriterStart } from './writer-messages.js';

/** The built one: a process cannot import TypeScript. */
const PROGRAM = new URL('../../dist/processes/fence-writer.js', import.meta.url);

/** A leader in a process of its own, frozen in the middle of its transaction. */
export class FrozenWriter implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it is frozen. */
  static async start(start: WriterStart): Promise<FrozenWriter> {
    const child = fork(PROGRAM, [JSON.stringify(start)]);
    const message = await said(child);
    if (message.kind !== 'freezes') throw new Error(`it ended before it froze: ${JSON.stringify(message)}`);
    return new FrozenWriter(child);
  }

  /** Lets it go on; resolves to how its transaction ended. */
  async thaw(): Promise<WriterMessage & { readonly kind: 'ended' }> {
    const ended = said(this.#child);
    this.#child.kill('SIGCONT');
    return (await ended) as WriterMessage & { readonly kind: 'ended' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }
}

async function said(child: ChildProcess): Promise<WriterMessage> {
  const over = new AbortController();
  const message = once(child, 'message', { signal: over.signal }) as Promise<[WriterMessage]>;
  const exit = once(child, 'exit', { signal: over.signal }).then(([code]) => {
    throw new Error(`the writer ended without a word: ${code}`);
  });
  try {
    const [first] = await Promise.race([message, exit]);
    return first;
  } finally {
    over.abort();
    await Promise.allSettled([message, exit]);
  }
}
