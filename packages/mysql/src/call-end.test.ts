import { Scheduler, VirtualClock } from '@wb/core/testing';
import { describe, expect, it } from 'vitest';
import { CallEnd } from './call-end.js';
import type { ConnectionSource } from './connection-source.js';
import { MysqlClient } from './mysql-client.js';
import { compileServerSql } from './server-identity.js';
import { statementCompiler } from './mysql-statement.js';

describe('the limit of a call', () => {
  it('T5: ends it, and is told from an abort', async () => {
    const scheduler = new Scheduler();
    const end = new CallEnd('fence', undefined, new Set());
    let isOver = false;
    end.onOver(() => (isOver = true));
    end.limit(new VirtualClock(scheduler), 100);
    await scheduler.runFor(99);
    expect([isOver, end.isOver]).toEqual([false, false]);
    await scheduler.runFor(2);
    expect([isOver, end.isOver]).toEqual([true, true]);
    const error = end.error('unknown');
    expect(error).toMatchObject({ code: 'STORE_TIMEOUT', isRetryable: true, outcome: 'unknown' });
    expect(error.message).toBe('`fence` failed: the database did not answer within 100 ms');
  });

  it.each<[string, (end: CallEnd) => void]>([
    ['was lifted', (end) => end.liftLimit()],
    ['belonged to a call that is over', (end) => end.dispose()],
  ])('does nothing once it %s', async (_kind, act) => {
    const scheduler = new Scheduler();
    const end = new CallEnd('fenced', undefined, new Set());
    end.limit(new VirtualClock(scheduler), 100);
    act(end);
    await scheduler.runFor(1_000);
    expect(end.isOver).toBe(false);
  });

  it('T5: ends every call of a client whose database never answers, also the wait for a connection', async () => {
    const scheduler = new Scheduler();
    const blackHole: ConnectionSource = {
      borrow: (end) => new Promise((_resolve, reject) => void end.onOver(() => reject(end.error('none')))),
      close: () => undefined,
    };
    const environment = { clock: new VirtualClock(scheduler), random: () => 0 };
    const client = new MysqlClient(blackHole, blackHole, environment, compileServerSql(statementCompiler('wb_')).server({}));
    const call = { operation: 'fenced', options: undefined, limitMs: 100 };
    const codes: unknown[] = [];
    for (const begun of [client.lend(call, () => Promise.resolve()), client.askForOtherWriters(call)])
      begun.catch((error: unknown) => codes.push(Reflect.get(Object(error), 'code')));
    await scheduler.runFor(99);
    expect(codes).toEqual([]);
    await scheduler.runFor(2);
    expect(codes).toEqual(['STORE_TIMEOUT', 'STORE_TIMEOUT']);
  });
});
