import { systemClock, type LeaseHint, type Timer } from '@wb/core';
import { HintHub, type HintConnection } from '@wb/sql';
import type { PostgresClient } from './postgres-client.js';
import type { DriverNotification, PostgresConnection } from './postgres-connection.js';
import { FREED_MARK, RESIGN_MARK } from './postgres-fragments.js';

/** How often the connection is asked whether it still lives, in ms: nobody else would notice that nothing comes any more. */
const PROBE_MS = 10_000;

/** Hears of what is notified on a channel, for all watchers of a store. */
export function listenOn(client: PostgresClient, channel: string): HintHub {
  return new HintHub({
    clock: systemClock,
    random: Math.random,
    connect: async (signal, onHint): Promise<HintConnection> => {
      const connection = await client.dedicate({ operation: 'watch', options: { signal } }, async (opened) => {
        await opened.query(`listen "${channel}"`);
      });
      connection.client.on('notification', (message: unknown) => {
        const { channel: told, payload } = message as DriverNotification;
        if (told === channel) onHint(toHint(payload ?? ''));
      });
      return new Listening(client, connection);
    },
  });
}

/** A connection that listens, and is asked now and then whether it still lives. */
class Listening implements HintConnection {
  readonly broken: Promise<unknown>;
  readonly #client: PostgresClient;
  readonly #connection: PostgresConnection;
  #probe: Timer | null = null;
  #isClosed = false;

  constructor(client: PostgresClient, connection: PostgresConnection) {
    this.#client = client;
    this.#connection = connection;
    this.broken = new Promise((resolve) => {
      connection.client.on('end', resolve);
      this.#probeSoon(resolve);
    });
  }

  /** Not given back: it listens. */
  close(): void {
    this.#isClosed = true;
    this.#probe?.cancel();
    this.#connection.destroy();
  }

  #probeSoon(onDead: (error: unknown) => void): void {
    if (this.#isClosed) return;
    this.#probe = systemClock.schedule(PROBE_MS, () => {
      const answer = this.#client.wait({ operation: 'watch', options: undefined }, this.#connection.query('select 1'));
      answer.then(() => this.#probeSoon(onDead), onDead);
    });
  }
}

/** Anybody may notify on any channel: what is not ours is a hint that names nothing. */
function toHint(payload: string): LeaseHint {
  const mark = [RESIGN_MARK, FREED_MARK].find((each) => payload.startsWith(each)) ?? '';
  try {
    const groupIds: unknown = JSON.parse(payload.slice(mark.length));
    if (Array.isArray(groupIds) && groupIds.every((groupId) => typeof groupId === 'string'))
      return { groupIds, ...(mark === RESIGN_MARK && { resign: true }), ...(mark === FREED_MARK && { freed: true }) };
  } catch {
    // Too long to be named, or somebody else's.
  }
  return {};
}
