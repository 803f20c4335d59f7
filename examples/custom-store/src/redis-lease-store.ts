import {
  assertBatch,
  assertLeases,
  assertName,
  assertNewSession,
  StoreError,
  WbOptionError,
  type CallOptions,
  type ClaimResult,
  type HeartbeatRequest,
  type HeartbeatResult,
  type HeldLeases,
  type LeaseHint,
  type LeaseHolder,
  type LeaseKey,
  type LeaseStore,
  type LeaseStoreCapabilities,
  type LeaseView,
  type MemberView,
  type NewSession,
  type ReleaseResult,
} from '@wb/core';
import { RedisConnection } from './redis-connection.js';
import type { ScriptName } from './redis-scripts.js';

/** Options of {@link redisLeaseStore}. */
export interface RedisLeaseStoreOptions {
  /** `redis://[user:password@]host:port[/database]`, or `rediss://` with TLS. */
  readonly url: string;
  /** What the keys begin with: 1 to 48 characters of a–z, 0–9 and `_`. Default: `'wb'`. */
  readonly namespace?: string;
  /** How long dead sessions are kept, in ms (S4). Default: 3,600,000. Range: a whole number, 0 and more. */
  readonly sessionRetentionMs?: number;
}

const CAPABILITIES: LeaseStoreCapabilities = Object.freeze({
  name: 'redis',
  durable: true,
  crossProcess: true,
  precisionMs: 1,
  watch: true,
  fencing: false,
  history: false,
  resignRequests: false,
  groups: false,
  occurrences: false,
});

/** How many groups one script takes: a script keeps everyone else waiting. */
const PART_SIZE = 1_000;

/** A store on Redis 7 or later. */
export function redisLeaseStore(options: RedisLeaseStoreOptions): LeaseStore {
  return new RedisLeaseStore(options);
}

class RedisLeaseStore implements LeaseStore {
  readonly capabilities: LeaseStoreCapabilities = CAPABILITIES;
  readonly #connection: RedisConnection;
  /** A connection that listens may do nothing else. */
  readonly #listening: RedisConnection;
  readonly #prefix: string;
  readonly #retentionMs: number;

  constructor({ url, namespace = 'wb', sessionRetentionMs = 3_600_000 }: RedisLeaseStoreOptions) {
    if (typeof url !== 'string' || !/^rediss?:\/\//.test(url)) {
      throw new WbOptionError('INVALID_OPTION', 'url', `\`url\` (${typeof url}) must begin with redis:// or rediss://`);
    }
    if (!/^[a-z0-9_]{1,48}$/.test(namespace)) {
      throw new WbOptionError(
        'INVALID_OPTION',
        'namespace',
        `\`namespace\` (${JSON.stringify(namespace)}) must be 1 to 48 characters of a–z, 0–9 and _`,
      );
    }
    if (!Number.isInteger(sessionRetentionMs) || sessionRetentionMs < 0) {
      throw new WbOptionError(
        'INVALID_OPTION',
        'sessionRetentionMs',
        `\`sessionRetentionMs\` (${sessionRetentionMs}) must be a whole number from 0`,
      );
    }
    this.#connection = new RedisConnection(url);
    this.#listening = new RedisConnection(url);
    this.#prefix = `{${namespace}}:`;
    this.#retentionMs = sessionRetentionMs;
  }

  /** There is no schema; but a server that cannot be used is better found here than later. */
  async migrate(options?: CallOptions): Promise<void> {
    await this.#connection.ping('migrate', options?.signal);
  }

  async openSession(session: NewSession, options?: CallOptions): Promise<void> {
    assertNewSession(session);
    const { sessionId, memberId, ttlMs, metadata = {} } = session;
    const args = [sessionId, memberId, String(ttlMs), JSON.stringify(metadata), String(this.#retentionMs)];
    if ((await this.#run('openSession', 'open', args, options)) === 1) return;
    throw new StoreError('STORE_SESSION_EXISTS', `session ${JSON.stringify(sessionId)} exists already`, { outcome: 'none' });
  }

  async heartbeat({ sessionId, holders }: HeartbeatRequest, options?: CallOptions): Promise<HeartbeatResult> {
    assertBatch(sessionId, holders);
    const answer = (await this.#run('heartbeat', 'heartbeat', [sessionId, ...holders], options)) as string[];
    if (answer.length === 0) return { alive: false };
    const [grantCount, standbyRank, ...health] = answer.map(Number) as [number, number, ...number[]];
    return {
      alive: true,
      grantCount,
      standbyRank,
      holders: holders.map((holderId, at) => ({ sessionId: holderId, remainingMs: health[2 * at]!, releaseCount: health[2 * at + 1]! })),
    };
  }

  async closeSession(sessionId: string, options?: CallOptions): Promise<void> {
    assertName('sessionId', sessionId);
    await this.#run('closeSession', 'close', [sessionId], options);
  }

  async contend(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void> {
    assertBatch(sessionId, groupIds);
    await this.#runParts('contend', groupIds, (part) => [sessionId, ...part], options);
  }

  async withdraw(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void> {
    assertBatch(sessionId, groupIds);
    await this.#runParts('withdraw', groupIds, (part) => [sessionId, ...part], options);
  }

  async claim(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<readonly ClaimResult[]> {
    assertBatch(sessionId, groupIds);
    const rows = await this.#runParts('claim', groupIds, (part) => [sessionId, ...part], options);
    return groupIds.map((groupId, at): ClaimResult => {
      const [kind, term, ...holder] = rows.slice(6 * at, 6 * at + 6) as [string, string, ...string[]];
      switch (kind) {
        case 'fresh':
        case 'again':
          return { kind: 'granted', groupId, term: Number(term), fresh: kind === 'fresh' };
        case 'held':
          return { kind: 'refused', groupId, reason: 'held', holder: toHolder(holder, Number(term))! };
        default:
          return { kind: 'refused', groupId, reason: 'session-dead' };
      }
    });
  }

  async release(sessionId: string, leases: readonly LeaseKey[], options?: CallOptions): Promise<readonly ReleaseResult[]> {
    assertLeases(sessionId, leases);
    const toArgs = (part: readonly LeaseKey[]): string[] => [sessionId, ...part.flatMap(({ groupId, term }) => [groupId, String(term)])];
    const answers = await this.#runParts('release', leases, toArgs, options);
    return leases.map(({ groupId, term }, at) => ({ groupId, term, kind: answers[at] === 1 ? 'released' : 'not-held' }));
  }

  async held(sessionId: string, options?: CallOptions): Promise<HeldLeases> {
    assertName('sessionId', sessionId);
    const [grantCount, ...rest] = (await this.#run('held', 'held', [sessionId], options)) as string[];
    if (grantCount === undefined) return { alive: false, grantCount: 0, leases: [] };
    return {
      alive: true,
      grantCount: Number(grantCount),
      leases: inRowsOf(2, rest)
        .map(([groupId, term]) => ({ groupId: groupId!, term: Number(term) }))
        .toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1)),
    };
  }

  async read(groupIds: readonly string[], options?: CallOptions): Promise<readonly LeaseView[]> {
    for (const groupId of groupIds) assertName('groupId', groupId);
    const rows = (await this.#runParts('read', groupIds, (part) => [...part], options)) as string[];
    return inRowsOf(6, rows).map(([term, contenderCount, ...holder], at) => ({
      groupId: groupIds[at]!,
      term: Number(term),
      holder: toHolder(holder, Number(term)),
      contenderCount: Number(contenderCount),
    }));
  }

  async members(options?: CallOptions): Promise<readonly MemberView[]> {
    const rows = (await this.#run('members', 'members', [], options)) as string[];
    return inRowsOf(8, rows).map(([sessionId, memberId, ttlMs, remainingMs, ageMs, leaseCount, contendCount, metadata]) => ({
      sessionId: sessionId!,
      memberId: memberId!,
      ttlMs: Number(ttlMs),
      remainingMs: Number(remainingMs),
      ageMs: Number(ageMs),
      leaseCount: Number(leaseCount),
      contendCount: Number(contendCount),
      metadata: JSON.parse(metadata!) as Record<string, string>,
    }));
  }

  async watch(onHint: (hint: LeaseHint) => void, options?: CallOptions): Promise<AsyncDisposable> {
    const onMessage = (message: string): void => onHint({ groupIds: JSON.parse(message) as string[] });
    const unsubscribe = await this.#listening.subscribe(`${this.#prefix}hints`, onMessage, options?.signal);
    return { [Symbol.asyncDispose]: unsubscribe };
  }

  close(): Promise<void> {
    this.#connection.close();
    this.#listening.close();
    return Promise.resolve();
  }

  #run(operation: string, script: ScriptName, args: readonly string[], options: CallOptions | undefined): Promise<unknown> {
    return this.#connection.run(operation, script, this.#prefix, args, options?.signal);
  }

  async #runParts<T>(
    script: ScriptName,
    items: readonly T[],
    toArgs: (part: readonly T[]) => string[],
    options: CallOptions | undefined,
  ): Promise<unknown[]> {
    const answers: unknown[] = [];
    // An empty batch is still a call: whether the store is there, and open, is a part of its answer.
    for (let from = 0; from === 0 || from < items.length; from += PART_SIZE) {
      const answer = await this.#run(script, script, toArgs(items.slice(from, from + PART_SIZE)), options);
      if (Array.isArray(answer)) for (const value of answer) answers.push(value);
    }
    return answers;
  }
}

/** A holder that is live for less than a microsecond is still live: what was rounded down to nothing is not 0 (L1). */
function toHolder([sessionId, memberId, remainingMs, releaseCount]: readonly string[], term: number): LeaseHolder | null {
  if (sessionId === undefined || sessionId === '') return null;
  return { sessionId, memberId: memberId!, term, remainingMs: Math.max(Number(remainingMs), 0.001), releaseCount: Number(releaseCount) };
}

function inRowsOf(width: number, values: readonly string[]): string[][] {
  return Array.from({ length: values.length / width }, (_, at) => values.slice(width * at, width * at + width));
}
