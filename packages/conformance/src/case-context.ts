import type { ClaimResult, LeaseStore, NewSession } from '@wb/core';
import { ConformanceFailure } from './conformance-failure.js';
import { until } from './clock.js';
import { RemoteClient } from './remote-client.js';
import type { ConformanceTarget } from './target.js';

/** Long enough never to end during a case, in ms. */
export const LONG_TTL_MS = 600_000;

/** What a case has at hand: clients, sessions and names in a namespace of its own. Whatever it opens is closed after it. */
export class CaseContext {
  readonly target: ConformanceTarget;
  readonly namespace: string;
  readonly seed: number;
  readonly #clients: LeaseStore[] = [];
  readonly #remotes: RemoteClient[] = [];
  readonly #namespaces: Set<string>;
  #state: number;
  #nameCount = 0;

  constructor(target: ConformanceTarget, namespace: string, seed: number) {
    this.target = target;
    this.namespace = namespace;
    this.seed = seed;
    this.#namespaces = new Set([namespace]);
    // Never 0, where the generator would stay.
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  }

  /** From 0 to below 1, by the seed. */
  random(): number {
    // xorshift32
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state / 2 ** 32;
  }

  /** A new client; of a migrated store unless told otherwise. */
  async open(options: { readonly isMigrated?: boolean; readonly namespace?: string } = {}): Promise<LeaseStore> {
    const namespace = options.namespace ?? this.namespace;
    this.#namespaces.add(namespace);
    const store = await this.target.open(namespace);
    this.#clients.push(store);
    if (options.isMigrated ?? true) await store.migrate();
    return store;
  }

  /** As many clients as asked for. */
  async openMany(count: number): Promise<LeaseStore[]> {
    const first = await this.open();
    const others = await Promise.all(Array.from({ length: count - 1 }, () => this.open({ isMigrated: false })));
    return [first, ...others];
  }

  /** Clients in processes of their own; over a migrated store unless told otherwise. */
  async openRemote(count: number, options: { readonly isMigrated?: boolean } = {}): Promise<RemoteClient[]> {
    if (options.isMigrated ?? true) await this.open();
    const remotes = await Promise.all(Array.from({ length: count }, () => RemoteClient.start(this.target, this.namespace)));
    this.#remotes.push(...remotes);
    return remotes;
  }

  /** A name that this case has not used. */
  name(kind: string): string {
    this.#nameCount += 1;
    return `${kind}-${this.#nameCount}`;
  }

  /** Opens a session and returns its id. */
  async session(store: LeaseStore, options: Partial<NewSession> = {}): Promise<string> {
    const sessionId = options.sessionId ?? this.name('session');
    await store.openSession({ memberId: 'member', ttlMs: LONG_TTL_MS, ...options, sessionId });
    return sessionId;
  }

  /** Opens a session that has ended by itself when this resolves; `before` is done while it is live. */
  async expiredSession(store: LeaseStore, before?: (sessionId: string) => Promise<void>): Promise<string> {
    // If this machine is slow, the session may end too early: then another one gets more time.
    for (let ttlMs = 60; ttlMs <= 4_000; ttlMs *= 2) {
      const sessionId = await this.session(store, { ttlMs });
      let isDone = true;
      try {
        await before?.(sessionId);
      } catch (error) {
        if (await this.#isMember(store, sessionId)) throw error;
        isDone = false;
      }
      const isLive = await this.#isMember(store, sessionId);
      await this.expiry(store, sessionId, ttlMs);
      if (isDone && (isLive || before === undefined)) return sessionId;
    }
    throw new ConformanceFailure('a session of 4,000 ms', 'that it is live after a few calls', 'expired');
  }

  async #isMember(store: LeaseStore, sessionId: string): Promise<boolean> {
    return (await store.members()).some((member) => member.sessionId === sessionId);
  }

  /** Resolves when the session is no longer among the members. */
  async expiry(store: LeaseStore, sessionId: string, ttlMs: number): Promise<void> {
    const isGone = await until(async () => ((await this.#isMember(store, sessionId)) ? undefined : true), 2 * ttlMs + 2_000);
    if (isGone === null) {
      throw new ConformanceFailure(
        `session ${sessionId} without a heartbeat`,
        `that it ends after ${ttlMs} ms`,
        'a live member for twice as long',
      );
    }
  }

  /** The result of claiming one group. */
  async claim(store: LeaseStore, sessionId: string, groupId: string): Promise<ClaimResult> {
    const [result] = await store.claim(sessionId, [groupId]);
    if (result === undefined) throw new ConformanceFailure('claim of one group', 'one result', 'none');
    return result;
  }

  /** Claims a group that must be granted, and returns the term. */
  async grant(store: LeaseStore, sessionId: string, groupId: string): Promise<number> {
    const result = await this.claim(store, sessionId, groupId);
    if (result.kind !== 'granted') {
      throw new ConformanceFailure(
        `the claim of the free group ${JSON.stringify(groupId)} by ${sessionId}`,
        'granted',
        `refused (${result.reason})`,
      );
    }
    return result.term;
  }

  /** Closes everything that was opened, and removes the namespaces. */
  async end(): Promise<void> {
    await Promise.all(this.#remotes.map((remote) => remote.stop()));
    await Promise.all(this.#clients.map((client) => client.close()));
    for (const namespace of this.#namespaces) await this.target.drop?.(namespace);
  }
}
