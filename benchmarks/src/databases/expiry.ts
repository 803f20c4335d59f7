import { machineMs } from '../failover/messages.js';

/** How often the database is asked. */
const LOOKS = 5;

/** When a lease expires, by the machine's clock, from how long it still lives by the database. That has looked half way between question and answer; the quickest of several answers says it best. */
export async function expiryByMachine(remainingMs: () => Promise<number>): Promise<number> {
  const looks: { readonly tookMs: number; readonly expiresAtMs: number }[] = [];
  for (let look = 0; look < LOOKS; look += 1) {
    const askedAtMs = machineMs();
    const leftMs = await remainingMs();
    const tookMs = machineMs() - askedAtMs;
    looks.push({ tookMs, expiresAtMs: askedAtMs + tookMs / 2 + leftMs });
  }
  return looks.reduce((best, look) => (look.tookMs < best.tookMs ? look : best)).expiresAtMs;
}
