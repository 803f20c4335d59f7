import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Outcome, WriterNews, WriterStart } from './writer-messages.js';

const PROGRAM = fileURLToPath(new URL('./writer.js', import.meta.url));

/** A transaction of a writer's, as the driver saw it. */
export interface Transaction {
  readonly term: number;
  readonly id: string;
  /** Whether it is open, and the store has let it in. */
  isInside: boolean;
  /** `null`: it has not ended. */
  outcome: Outcome | null;
}

/** One writer, as the driver holds it. */
export class WriterProcess {
  readonly member: string;
  readonly #child: ChildProcess;
  #last: Transaction | null = null;
  #mayEnd = false;

  /** `onNews` is called after each change of {@link WriterProcess.last}, and with an error if the process ends by itself. */
  constructor(start: WriterStart, onNews: (error: Error | null) => void) {
    this.member = start.member;
    this.#child = fork(PROGRAM, [JSON.stringify(start)]);
    this.#child.on('message', (news: WriterNews) => {
      if (news.kind === 'begins') this.#last = { term: news.term, id: news.id, isInside: false, outcome: null };
      else if (this.#last?.id !== news.id) return;
      else if (news.kind === 'inside') this.#last.isInside = true;
      else this.#last.outcome = news.outcome;
      onNews(null);
    });
    this.#child.on('exit', (code, signal) => {
      if (!this.#mayEnd) onNews(new Error(`${this.member} ended by itself: ${signal ?? code}`));
    });
  }

  /** The transaction that it has begun last. */
  get last(): Transaction | null {
    return this.#last;
  }

  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#mayEnd = true;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
