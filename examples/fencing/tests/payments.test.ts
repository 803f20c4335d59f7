import { FencedError, systemClock } from '@wb/core';
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pay, type PaymentLease } from '../src/payments/client.js';
import { Ledger } from '../src/payments/ledger.js';
import { createPaymentService } from '../src/payments/service.js';

const WORKER = fileURLToPath(new URL('../dist/payments/worker-main.js', import.meta.url));

describe('sqlite: a service that refuses stale terms', () => {
  let folder: string;
  let ledger: Ledger;
  let service: Server;
  let url: string;
  const workers: ChildProcess[] = [];

  const start = async (): Promise<void> => {
    ledger = new Ledger(join(folder, 'payments.db'));
    service = createPaymentService(ledger).listen(0, '127.0.0.1');
    await once(service, 'listening');
    url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  };
  const stop = async (): Promise<void> => {
    service.closeAllConnections();
    service.close();
    await once(service, 'close');
    ledger.close();
  };
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'wb-payments-'));
    await start();
  });
  afterEach(async () => {
    for (const worker of workers.splice(0)) {
      const exit = once(worker, 'exit');
      worker.kill('SIGKILL');
      await exit;
    }
    await stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const lease = (term: number, groupId = 'payments'): PaymentLease => ({ groupId, term, assertHeld: () => undefined });
  const order = (key: string, amount = 100): Parameters<typeof pay>[2] => ({ idempotencyKey: key, account: 'a', amount });
  const post = (headers: Record<string, string>, body = '{"account":"a","amount":1}'): Promise<Response> =>
    fetch(`${url}/payments`, { method: 'POST', headers, body });

  it('refuses a lower term than it has seen of the group, also after a restart, and says which', async () => {
    await pay(url, lease(2), order('one'));
    await expect(pay(url, lease(1), order('two'))).rejects.toThrow(FencedError);
    await pay(url, lease(1, 'another group'), order('three'));
    await stop();
    await start();
    const response = await post({ 'Fencing-Group': 'payments', 'Fencing-Term': '1', 'Idempotency-Key': 'four' });
    expect(response.status).toBe(412);
    expect(response.headers.get('Fencing-Highest-Term')).toBe('2');
    expect(await response.json()).toEqual({ error: 'stale-term', groupId: 'payments', term: 1, highestTerm: 2 });
    expect(ledger.payments()).toHaveLength(2);
    // Its term is over even for what it has paid itself: it is to stop.
    await pay(url, lease(3), order('five'));
    await expect(pay(url, lease(2), order('one'))).rejects.toThrow('term 2 of group "payments" is over, the service has seen term 3');
  });

  it('pays once for one key, whoever asks again, and refuses the key for anything else', async () => {
    const first = await pay(url, lease(1), order('rent'));
    expect(await pay(url, lease(1), order('rent'))).toEqual(first);
    expect(await pay(url, lease(2), order('rent'))).toEqual(first);
    await expect(pay(url, lease(2), order('rent', 200))).rejects.toThrow('422');
    expect(ledger.payments()).toEqual([{ id: 1, account: 'a', amount: 100, term: 1 }]);
  });

  it('takes groups and keys of every name for what they are', async () => {
    const odd = [' blanks ', 'häuser', 'a%20b', '支払い', 'a,b; c="d"'];
    for (const [at, name] of odd.entries()) {
      await pay(url, lease(2, name), order(name));
      await expect(pay(url, lease(1, name), order(`${at}`))).rejects.toThrow(FencedError);
    }
    expect(ledger.payments()).toHaveLength(odd.length);
    const malformed = await post({ 'Fencing-Group': '%', 'Fencing-Term': '1', 'Idempotency-Key': 'k' });
    expect(malformed.status).toBe(400);
  });

  it('is asked again, later and later, by a client that got no answer', async () => {
    const askedAtMs: number[] = [];
    const [handle] = service.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[];
    service.removeAllListeners('request');
    service.on('request', (request, response) => {
      askedAtMs.push(systemClock.now().monotonicMs);
      if (askedAtMs.length === 1) request.socket.destroy();
      else if (askedAtMs.length === 2) response.writeHead(503).end('busy');
      else handle!(request, response);
    });
    expect(await pay(url, lease(1), order('rent'))).toMatchObject({ term: 1 });
    expect(askedAtMs).toHaveLength(3);
    // At the least half of 100 and of 200 ms.
    expect(askedAtMs[1]! - askedAtMs[0]!).toBeGreaterThanOrEqual(50);
    expect(askedAtMs[2]! - askedAtMs[1]!).toBeGreaterThanOrEqual(100);
    expect(ledger.payments()).toHaveLength(1);
  });

  it('does nothing without a term, a group, a key or a body', async () => {
    const good = { 'Fencing-Group': 'g', 'Fencing-Term': '1', 'Idempotency-Key': 'k' };
    for (const name of Object.keys(good)) {
      const headers = Object.fromEntries(Object.entries(good).filter(([other]) => other !== name));
      const response = await post(headers);
      expect([response.status, await response.json()]).toEqual([400, { error: 'bad-request', message: expect.stringContaining(name) }]);
    }
    for (const term of ['0', '-1', '1.5', 'x', '9007199254740993', ''])
      expect((await post({ ...good, 'Fencing-Term': term })).status, term).toBe(400);
    for (const body of ['', 'x', 'null', '{"account":"a","amount":-1}', 'x'.repeat(1_000_000)])
      expect((await post(good, body)).status, body.slice(0, 40)).toBe(400);
    expect(ledger.payments()).toEqual([]);
  });

  it('refuses the request of a leader that was frozen after its last look at the lease, and its successor pays nothing twice', async () => {
    const said: string[] = [];
    const more = new EventEmitter();
    const work = (memberId: string, freezeBefore = 0): ChildProcess => {
      const worker = spawn(process.execPath, [WORKER, join(folder, 'leases.db'), url, memberId, String(freezeBefore)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      worker.stdout.setEncoding('utf8').on('data', (text: string) => {
        said.push(...text.split('\n').filter((line) => line !== ''));
        more.emit('line');
      });
      workers.push(worker);
      return worker;
    };
    const until = async (line: RegExp): Promise<void> => {
      while (!said.some((one) => line.test(one))) await once(more, 'line');
    };

    const old = work('old', 4);
    await until(/^old paid landlord-3 in term 1$/);
    work('next');
    await until(/^next paid landlord-6 in term 2$/);
    old.kill('SIGCONT');
    await until(/^old was refused/);
    expect(said.find((line) => line.startsWith('old was refused'))).toBe(
      'old was refused: the payment "rent-4" was refused: term 1 of group "payments" is over, the service has seen term 2',
    );
    const payments = ledger.payments();
    expect(payments.slice(0, 6).map(({ account, term }) => [account, term])).toEqual([
      ['landlord-1', 1],
      ['landlord-2', 1],
      ['landlord-3', 1],
      ['landlord-4', 2],
      ['landlord-5', 2],
      ['landlord-6', 2],
    ]);
    expect(new Set(payments.map(({ account }) => account)).size).toBe(payments.length);
  });
});
