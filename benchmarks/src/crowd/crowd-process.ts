import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { CrowdMessage, CrowdStart, Usage } from './messages.js';

const PROGRAM = new URL('./crowd.js', import.meta.url);

/** A crowd's process, as its parent sees it. */
export class CrowdProcess {
  readonly #child: ChildProcess;
  readonly #memberId: string;

  constructor(start: CrowdStart) {
    this.#memberId = start.memberId;
    this.#child = fork(PROGRAM, [JSON.stringify(start)], { execArgv: ['--expose-gc'] });
    // One listener for each message that is waited for.
    this.#child.setMaxListeners(0);
  }

  /** The next message of a kind. @throws Error if the process ends first, or it does not come within `limitMs`. */
  async next<K extends CrowdMessage['kind']>(kind: K, limitMs = 120_000): Promise<Extract<CrowdMessage, { kind: K }>> {
    return await new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(limit);
        this.#child.off('message', onMessage).off('exit', onExit);
      };
      const fail = (why: string): void => {
        stop();
        reject(new Error(`${this.#memberId} ${why} before it told ${kind}`));
      };
      const limit = setTimeout(() => fail(`took more than ${limitMs} ms`), limitMs);
      const onExit = (code: number | null, signal: string | null): void => fail(`ended (${code ?? signal})`);
      const onMessage = (message: CrowdMessage): void => {
        if (message.kind !== kind) return;
        stop();
        resolve(message as Extract<CrowdMessage, { kind: K }>);
      };
      this.#child.on('message', onMessage).on('exit', onExit);
    });
  }

  async usage(): Promise<Usage> {
    const answer = this.next('usage');
    this.#child.send('usage');
    return (await answer).usage;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
