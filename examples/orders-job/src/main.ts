/**
 * Two nodes run the same order job; the bearer is killed, twice; the other one goes on. In the end the database is asked. Exit code 0 if every order was sent exactly once, and no occurrence was begun twice but the one
 * in whose middle a bearer was killed.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Begun } from './begun.js';
import { sentOrders } from './orders.js';
import { INTERVAL_MS, ORDER_COUNT } from './settings.js';

/** How long all of it may take, in ms: the orders, two takeovers, and much patience. */
const LIMIT_MS = 60_000 + ORDER_COUNT * INTERVAL_MS;

const folder = mkdtempSync(join(tmpdir(), 'wb-orders-'));
const filename = join(folder, 'orders.db');
const nodes = new Map<string, ChildProcess>();
const begun: Begun[] = [];
let onBegun: () => void = () => undefined;

function start(memberId: string): void {
  const child = fork(fileURLToPath(new URL('node.js', import.meta.url)), [filename, memberId]);
  nodes.set(memberId, child);
  child.on('message', (message: Begun) => {
    begun.push(message);
    onBegun();
  });
  child.on('exit', (code) => {
    if (nodes.get(memberId) === child) nodes.delete(memberId);
    if (code === 2) process.exit(2);
    onBegun();
  });
}

/** Resolves when something holds; it is looked at whenever a node has something to say. */
function until(holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    onBegun = () => {
      if (holds()) resolve();
    };
    onBegun();
  });
}

process.on('exit', () => {
  for (const child of nodes.values()) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
const limit = setTimeout(() => {
  console.error(`not done after ${LIMIT_MS / 1_000} s`);
  process.exit(1);
}, LIMIT_MS);

for (const memberId of ['node-1', 'node-2']) start(memberId);

for (const count of [8, 16]) {
  await until(() => begun.length >= count);
  const bearer = begun.at(-1)!.memberId;
  console.log(`— kill ${bearer}, the bearer`);
  nodes.get(bearer)!.kill('SIGKILL');
  await until(() => begun.at(-1)!.memberId !== bearer);
  console.log(`— ${begun.at(-1)!.memberId} goes on; ${bearer} is started again, and stands by`);
  start(bearer);
}
await until(() => nodes.size === 0);
clearTimeout(limit);

const orders = sentOrders(filename);
const first = orders[0]?.scheduledAtMs ?? 0;
const lost = Array.from({ length: ORDER_COUNT }, (_, at) => first + at * INTERVAL_MS).filter(
  (atMs) => !orders.some((order) => order.scheduledAtMs === atMs),
);
const fresh = begun.filter(({ isRerun }) => !isRerun).map(({ occurrence }) => occurrence);
const twice = fresh.length - new Set(fresh).size;
const members = new Set(orders.map(({ member }) => member));
console.log(
  `${orders.length} orders by ${members.size} nodes in ${new Set(orders.map(({ term }) => term)).size} terms; ${begun.length - fresh.length} begun again after a kill`,
);
console.log(`${orders.length} occurrences, ${twice} twice, ${lost.length} lost`);
process.exitCode = twice === 0 && lost.length === 0 && orders.length === ORDER_COUNT && members.size === 2 ? 0 : 1;
