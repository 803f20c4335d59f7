import { StoreError } from '@wb/core';
import { createClient, type RedisClientType } from 'redis';
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { toStoreError } from './redis-errors.js';
import { redisScripts, type ScriptName } from './redis-scripts.js';

type Client = RedisClientType<Record<never, never>, Record<never, never>, Record<never, never>, 3, Record<never, never>>;

const hashes = Object.fromEntries(
  Object.entries(redisScripts).map(([name, source]) => [name, createHash('sha1').update(source).digest('hex')]),
) as Record<ScriptName, string>;

/** One connection, opened when it is first needed, and again after it broke. Every call heeds its signal (T5). */
export class RedisConnection {
  readonly #url: string;
  #client: Promise<Client> | null = null;
  #isClosed = false;
  readonly #end = new AbortController();

  constructor(url: string) {
    this.#url = url;
    // One for each call that is under way.
    setMaxListeners(0, this.#end.signal);
  }

  /** Runs a script with a prefix for its keys. */
  async run(
    operation: string,
    script: ScriptName,
    prefix: string,
    args: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    return await this.#call(operation, signal, async (client) => {
      const options = { keys: [prefix], arguments: [...args] };
      try {
        return await client.evalSha(hashes[script], options);
      } catch (error) {
        // The server was restarted, or has not seen the script yet: nothing was done.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return await client.eval(redisScripts[script], options);
      }
    });
  }

  /** Whether the server is there and lets us in. */
  async ping(operation: string, signal: AbortSignal | undefined): Promise<void> {
    await this.#call(operation, signal, (client) => client.ping());
  }

  /** Listens on a channel, until the returned function is called. */
  async subscribe(channel: string, onMessage: (message: string) => void, signal: AbortSignal | undefined): Promise<() => Promise<void>> {
    return await this.#call('watch', signal, async (client) => {
      await client.subscribe(channel, onMessage);
      return async () => {
        if (client.isOpen) await client.unsubscribe(channel, onMessage);
      };
    });
  }

  /** What is under way rejects, and so does all that comes later. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#end.abort(closedError());
    this.#destroy();
  }

  async #call<T>(operation: string, signal: AbortSignal | undefined, send: (client: Client) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw closedError();
    if (signal?.aborted === true) throw abortedError(operation, signal, 'none');
    const ends = [this.#end.signal, ...(signal ? [signal] : [])];
    return await new Promise<T>((resolve, reject) => {
      const onAbort = (): void => {
        if (this.#isClosed) {
          reject(closedError());
          return;
        }
        reject(abortedError(operation, signal!, 'unknown'));
        // A connection that did not answer in time is not used again.
        this.#destroy();
      };
      for (const end of ends) end.addEventListener('abort', onAbort, { once: true });
      this.#connect()
        .then(send)
        .then(resolve, (error: unknown) => reject(this.#isClosed ? closedError() : toStoreError(operation, error)))
        .finally(() => {
          for (const end of ends) end.removeEventListener('abort', onAbort);
        });
    });
  }

  #connect(): Promise<Client> {
    if (this.#isClosed) return Promise.reject(closedError());
    this.#client ??= this.#open();
    return this.#client;
  }

  async #open(): Promise<Client> {
    // The coordinator repeats what fails, with back-off; a client that did so on its own would only hide it.
    const client = createClient({
      url: this.#url,
      RESP: 3,
      disableOfflineQueue: true,
      socket: { reconnectStrategy: false },
    }) as unknown as Client;
    client.on('error', () => {
      // Every call that waits hears of it by itself.
      this.#client = null;
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      this.#client = null;
      throw error;
    }
  }

  #destroy(): void {
    const client = this.#client;
    this.#client = null;
    client?.then(
      (opened) => {
        if (opened.isOpen) opened.destroy();
      },
      () => undefined,
    );
  }
}

function closedError(): StoreError {
  return new StoreError('STORE_CLOSED', 'the store is closed', { outcome: 'unknown' });
}

function abortedError(operation: string, signal: AbortSignal, outcome: 'none' | 'unknown'): StoreError {
  return new StoreError('STORE_TIMEOUT', `\`${operation}\` was aborted`, { cause: signal.reason, isRetryable: true, outcome });
}
