import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { PeerCommand, PeerMessage, PeerStart } from './messages.js';

const PROGRAM = new URL('./peer-member.js', import.meta.url);
/** How long anything may take that is waited for, in ms. */
const LIMIT_MS = 30_000;

type Of<K extends PeerMessage['kind']> = Extract<PeerMessage, { kind: K }>;

/** A peer's process, as its parent sees it. */
export class PeerProcess {
  readonly #start: PeerStart;
  readonly #child: ChildProcess;
  readonly #ready: Promise<Of<'ready'>>;

  constructor(start: PeerStart) {
    this.#start = start;
    this.#child = fork(PROGRAM, [JSON.stringify(start)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#child.setMaxListeners(0);
    this.#ready = this.next('ready');
    this.#ready.catch(() => undefined);
  }

  /** Resolves when it can be told something. */
  async ready(): Promise<this> {
    await this.#ready;
    return this;
  }

  /** The next message of a kind. @throws Error if the process ends first, or does not tell it in time. */
  async next<K extends PeerMessage['kind']>(kind: K): Promise<Of<K>> {
    return await new Promise<Of<K>>((resolve, reject) => {
      let errors = '';
      const stop = (): void => {
        clearTimeout(limit);
        this.#child.off('message', onMessage).off('exit', onExit);
        this.#child.stderr?.off('data', onError);
      };
      const fail = (why: string): void => {
        stop();
        reject(new Error(`${this.#start.peer} (${this.#start.memberId}) ${why} before it told ${kind}: ${errors.slice(0, 500)}`));
      };
      const onError = (text: Buffer): void => {
        errors += text.toString();
      };
      const onExit = (code: number | null, signal: string | null): void => fail(`ended (${code ?? signal})`);
      const onMessage = (message: PeerMessage): void => {
        if (message.kind !== kind) return;
        stop();
        resolve(message as Of<K>);
      };
      const limit = setTimeout(() => fail(`took more than ${LIMIT_MS} ms`), LIMIT_MS);
      this.#child.on('message', onMessage).on('exit', onExit);
      this.#child.stderr?.on('data', onError);
    });
  }

  async ask<K extends PeerMessage['kind']>(command: PeerCommand, kind: K): Promise<Of<K>> {
    const answer = this.next(kind);
    this.#child.send(command);
    return await answer;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
