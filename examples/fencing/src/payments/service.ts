import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Ledger, PaymentRequest } from './ledger.js';

const MAX_BODY_BYTES = 10_000;

/**
 * A service that refuses requests of leaders of the past. `POST /payments` with `Fencing-Group` and `Idempotency-Key` (both percent-encoded), `Fencing-Term` and `{ account, amount }`:
 *
 * - 201: paid; 200: it had been paid before, under the same key, by whatever leader
 * - 412: a later term has been seen; `Fencing-Highest-Term` and the body say which
 * - 422: the key was used for another payment
 * - 400: something is missing or malformed
 */
export function createPaymentService(ledger: Ledger): Server {
  return createServer((request, response) => {
    answer(ledger, request, response).catch((error: unknown) => {
      console.error('the service failed:', error);
      if (!response.headersSent) reply(response, 500, { error: 'failed' });
    });
  });
}

async function answer(ledger: Ledger, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url !== '/payments') return reply(response, 404, { error: 'not-found' });
  if (request.method === 'GET') return reply(response, 200, ledger.payments());
  if (request.method !== 'POST') return reply(response, 405, { error: 'method-not-allowed' });
  const payment = paymentOf(request, await bodyOf(request));
  if (typeof payment === 'string') return reply(response, 400, { error: 'bad-request', message: payment });

  const result = ledger.pay(payment);
  switch (result.kind) {
    case 'paid':
      return reply(response, result.isRepeated ? 200 : 201, result.payment);
    case 'stale-term':
      response.setHeader('Fencing-Highest-Term', result.highestTerm);
      return reply(response, 412, { error: 'stale-term', groupId: payment.groupId, term: payment.term, highestTerm: result.highestTerm });
    case 'key-reused':
      return reply(response, 422, { error: 'key-reused', message: '`Idempotency-Key` was used for another payment' });
  }
}

/** The payment, or what is wrong with the request. */
function paymentOf({ headers }: IncomingMessage, body: string | null): PaymentRequest | string {
  const groupId = decoded(headers['fencing-group']);
  const term = headers['fencing-term'];
  const idempotencyKey = decoded(headers['idempotency-key']);
  if (groupId === null || groupId === '' || groupId.length > 255) return '`Fencing-Group` must be 1 to 255 characters, percent-encoded';
  // Without a term nothing is done: who forgets it is not let through.
  if (typeof term !== 'string' || !/^[1-9]\d{0,15}$/.test(term) || !Number.isSafeInteger(Number(term)))
    return '`Fencing-Term` must be a whole number from 1';
  if (idempotencyKey === null || idempotencyKey === '' || idempotencyKey.length > 255)
    return '`Idempotency-Key` must be 1 to 255 characters, percent-encoded';
  if (body === null) return `the body must be at most ${MAX_BODY_BYTES} bytes`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return 'the body must be JSON';
  }
  const { account, amount } = Object(parsed) as { readonly account?: unknown; readonly amount?: unknown };
  if (typeof account !== 'string' || account === '') return '`account` must be a string';
  if (typeof amount !== 'number' || !Number.isSafeInteger(amount) || amount < 1) return '`amount` must be a whole number from 1';
  return { groupId, term: Number(term), idempotencyKey, account, amount };
}

/** A header that is percent-encoded; `null` if it is missing or malformed. */
function decoded(header: string | string[] | undefined): string | null {
  if (typeof header !== 'string') return null;
  try {
    return decodeURIComponent(header);
  } catch {
    return null;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Not destroyed by leaving the loop: the answer goes over the same socket.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
