import { Scheduler, VirtualClock } from '@wb/core/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { CallEnd } from './call-end.js';
import type { BorrowedConnection, ConnectionSource } from './connection-source.js';
import { DedicatedConnection } from './dedicated-connection.js';
import { MysqlClient } from './mysql-client.js';
import type { DriverConnection } from './mysql-driver.js';
import type { Step } from './mysql-statement.js';
import type { ServerRow } from './server-identity.js';

const STEP: Step = { sql: 'do 1', columns: null };
const SERVER: Step<ServerRow> = { sql: 'select server', columns: { server: 'text', cluster: 'text' } };

/** Connections to a server that accepts and never answers. */
class BlackHole implements ConnectionSource {
  isDestroyed = false;
  borrow(): Promise<BorrowedConnection> {
    const connection: DriverConnection = { query: () => undefined, destroy: () => undefined, on: () => undefined };
    return Promise.resolve({
      connection,
      takesScripts: true,
      giveBack: () => undefined,
      destroy: () => {
        this.isDestroyed = true;
      },
    });
  }
  close(): void {
    // Nothing is open.
  }
}

/** A server without a place left. */
class Crowd implements ConnectionSource {
  count = 0;
  borrow(): Promise<BorrowedConnection> {
    this.count += 1;
    return Promise.reject(Object.assign(new Error('Too many connections'), { errno: 1040 }));
  }
  close(): void {
    // Nothing is open.
  }
}

describe('calls of the client', () => {
  let scheduler: Scheduler;
  let clock: VirtualClock;
  const clientOf = (source: ConnectionSource): MysqlClient => new MysqlClient(source, source, { clock, random: () => 0.5 }, SERVER);

  beforeEach(() => {
    scheduler = new Scheduler();
    clock = new VirtualClock(scheduler);
  });

  it.each([
    [undefined, 6_000],
    [120_000, 120_000],
  ])('T5: a call without a signal ends at its limit (%s), and so does its connection', async (limitMs, endsAtMs) => {
    const source = new BlackHole();
    const call = clientOf(source).run({ operation: 'members', options: undefined, ...(limitMs !== undefined && { limitMs }) }, 'read', [
      STEP,
    ]);
    let error: unknown = null;
    call.catch((reason: unknown) => {
      error = reason;
    });
    await scheduler.runUntil(endsAtMs - 1);
    expect([error, source.isDestroyed]).toEqual([null, false]);
    await scheduler.runUntil(endsAtMs + 1);
    expect(error).toMatchObject({ code: 'STORE_TIMEOUT', isRetryable: true, outcome: 'unknown' });
    expect(source.isDestroyed).toBe(true);
  });

  it('F17: a server without a place left is not asked for one again and again', async () => {
    const source = new Crowd();
    const call = clientOf(source).run({ operation: 'members', options: undefined }, 'read', [STEP]);
    await expect(call).rejects.toMatchObject({ code: 'STORE_BUSY', reason: 'too-many-connections', isRetryable: true, outcome: 'none' });
    expect(source.count).toBe(1);
  });

  it('a connection that is kept for long keeps nothing of its pauses', async () => {
    class CountingEnd extends CallEnd {
      listenerCount = 0;
      override onOver(listener: () => void): () => void {
        this.listenerCount += 1;
        const forget = super.onOver(listener);
        return () => {
          this.listenerCount -= 1;
          forget();
        };
      }
    }
    const end = new CountingEnd('watch', undefined, new Set());
    const connection = new DedicatedConnection('watch', await new BlackHole().borrow(), end, clock);
    for (let pause = 0; pause < 100; pause += 1) {
      const over = connection.pause(20);
      await scheduler.runUntil(scheduler.nowMs + 21);
      await over;
    }
    expect(end.listenerCount).toBe(0);
  });
});
