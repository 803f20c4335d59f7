/**
 * A client in a process of its own: `node remote-process.js <module of the target> <namespace>`, started by `RemoteClient`.
 *
 * @module
 */
import { wallMs } from './clock.js';
import type { RemoteAnswer, RemoteRequest } from './remote-protocol.js';
import type { ConformanceTarget } from './target.js';

const [module, namespace] = process.argv.slice(2) as [string, string];
const target = ((await import(module)) as { readonly default: ConformanceTarget }).default;
const store = await target.open(namespace);

process.on('message', (request: RemoteRequest) => void answer(request));
// The parent is gone, or has no more questions.
process.on('disconnect', () => void store.close());
send({ id: 0, value: null });

async function answer({ id, method, args, startAtMs }: RemoteRequest): Promise<void> {
  // All processes of a round look at the same clock, so that they start within microseconds of each other.
  while (startAtMs !== null && wallMs() < startAtMs);
  try {
    const call = store[method] as (...parameters: readonly unknown[]) => Promise<unknown>;
    send({ id, value: await call.apply(store, [...args]) });
  } catch (error) {
    const { name, message } = error as Error;
    send({ id, error: { name, message, code: Reflect.get(error as object, 'code') } });
  }
}

function send(message: RemoteAnswer): void {
  process.send!(message);
}
