import type { FenceLease, LeaseStore } from '@wb/core';
import { randomUUID } from 'node:crypto';

/** An hour, in ms: nothing expires while something else is measured. */
const LONG_MS = 3_600_000;

/** Opens a session and has it granted a group. */
export async function openLease(store: LeaseStore, groupId: string): Promise<FenceLease> {
  const sessionId = await openSession(store);
  const [result] = await store.claim(sessionId, [groupId]);
  if (result?.kind !== 'granted') throw new Error(`the claim of ${groupId} was not granted: ${JSON.stringify(result)}`);
  return { groupId, term: result.term, sessionId };
}

/** @param ttlMs Default: long enough to be of no concern. */
export async function openSession(store: LeaseStore, ttlMs = LONG_MS): Promise<string> {
  const sessionId = randomUUID();
  await store.openSession({ sessionId, memberId: 'bench', ttlMs });
  return sessionId;
}
