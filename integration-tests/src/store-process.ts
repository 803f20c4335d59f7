import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { LeaseStore } from '@wb/core';
import type { StoreAnswer, StoreRequest } from './store-messages.js';

/** The built one: a process cannot import TypeScript. */
const PROGRAM = new URL('../dist/processes/store-client.js', import.meta.url);

type Method = StoreRequest['method'];
type Arguments<M extends Method> = Parameters<NonNullable<LeaseStore[M]>>;
type Result<M extends Method> = Awaited<ReturnType<NonNullable<LeaseStore[M]>>>;

/** A process with a store for each file that it is asked about. */
export class StoreProcess {
  readonly #child: ChildProcess = fork(PROGRAM);
  readonly #waiting = new Map<number, (answer: StoreAnswer) => void>();
  #lastId = 0;

  constructor() {
    this.#child.on('message', (answer: StoreAnswer) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    this.#child.on('exit', (code, signal) => {
      for (const [id, tell] of this.#waiting) tell({ id, error: `the process ended: ${code ?? signal}` });
      this.#waiting.clear();
    });
  }

  /** Makes a call over there, at `startAtMs` if that is given. */
  async call<M extends Method>(filename: string, method: M, args: Arguments<M>, startAtMs: number | null = null): Promise<Result<M>> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { value, error } = await new Promise<StoreAnswer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.send({ id, filename, method, args, startAtMs } satisfies StoreRequest);
    });
    if (error !== undefined) throw new Error(error);
    return value as Result<M>;
  }

  /** Resolves with its exit code when it has ended by itself, because nobody has any more questions. */
  async leave(): Promise<number | null> {
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    const [code] = (await ended) as [number | null];
    return code;
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
