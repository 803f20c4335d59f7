import type { LeaseStore } from '@wb/core';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { RemoteAnswer, RemoteMethod, RemoteRequest } from './remote-protocol.js';
import type { ConformanceTarget } from './target.js';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A client of the target in another process. */
export class RemoteClient {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: RemoteAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('value' in answer) waiting?.resolve(answer.value);
      else waiting?.reject(Object.assign(new Error(answer.error.message), { name: answer.error.name, code: answer.error.code }));
    });
    child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the client process ended (${signal ?? code})`));
      this.#waiting.clear();
    });
  }

  /** Starts a process, and resolves when its client is open. */
  static async start(target: ConformanceTarget, namespace: string): Promise<RemoteClient> {
    if (target.module === undefined) throw new Error(`the target ${target.name} has no module`);
    const child = fork(new URL('./remote-process.js', import.meta.url), [target.module, namespace], { serialization: 'advanced' });
    const client = new RemoteClient(child);
    await new Promise<unknown>((resolve, reject) => client.#waiting.set(0, { resolve, reject }));
    return client;
  }

  /** Calls a method of the client there. `startAtMs`: not before that instant of the wall clock. */
  call<M extends RemoteMethod>(
    method: M,
    args: Parameters<NonNullable<LeaseStore[M]>>,
    startAtMs: number | null = null,
  ): Promise<Awaited<ReturnType<NonNullable<LeaseStore[M]>>>> {
    this.#lastId += 1;
    const request: RemoteRequest = { id: this.#lastId, method, args, startAtMs };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve: (value) => resolve(value as Awaited<ReturnType<NonNullable<LeaseStore[M]>>>), reject });
      this.#child.send(request);
    });
  }

  /** Lets the process end by itself, once what is under way is answered. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }

  /** Kills the process, as a crash would. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
