import type { HolderHealth } from './lease-store.js';

interface Holder {
  readonly groupIds: Set<string>;
  /**
   * When a claim may be sent, on the monotonic clock. It counts from when the question went out, not from the answer: a claim takes the same way to the store. One that comes
   * a little too early is refused, with what is left; one that waits for the answer's way too is late each time.
   */
  expiresAtMs: number;
  releaseCount: number;
}

/** What a look at the holders brought. */
export interface HolderNews {
  /** Groups whose holder is dead. */
  readonly orphaned: readonly string[];
  /** Groups whose holder is dead, after it has released something: it was closed, as far as can be told (F18). */
  readonly released: readonly string[];
  /** Groups whose holder has released something: perhaps one of these. */
  readonly suspect: readonly string[];
}

/**
 * Which sessions this member waits for, and with which groups. The cost of a heartbeat grows with the number of holders, usually a few
 * processes, and not with that of the groups.
 */
export class StandbyIndex {
  readonly #holders = new Map<string, Holder>();
  readonly #holderOf = new Map<string, string>();

  /** The sessions to ask about with the next heartbeat. */
  get holderIds(): string[] {
    return [...this.#holders.keys()];
  }

  /** When the first holder's session would expire, on the monotonic clock. */
  get nextExpiryMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const holder of this.#holders.values()) next = Math.min(next, holder.expiresAtMs);
    return next;
  }

  /** `groupId` waits for `health.sessionId`, as it was when seen. The estimate counts from `askedAtMs`, when the question went out. */
  track(groupId: string, health: HolderHealth, askedAtMs: number): void {
    this.untrack(groupId);
    this.#holderOf.set(groupId, health.sessionId);
    const expiresAtMs = askedAtMs + health.remainingMs;
    const holder = this.#holders.get(health.sessionId);
    if (!holder) {
      this.#holders.set(health.sessionId, { groupIds: new Set([groupId]), expiresAtMs, releaseCount: health.releaseCount });
      return;
    }
    holder.groupIds.add(groupId);
    holder.expiresAtMs = Math.max(holder.expiresAtMs, expiresAtMs);
    // The lower number: what was released in between may be a group that was tracked before.
    holder.releaseCount = Math.min(holder.releaseCount, health.releaseCount);
  }

  untrack(groupId: string): void {
    const holderId = this.#holderOf.get(groupId);
    if (holderId === undefined) return;
    this.#holderOf.delete(groupId);
    const holder = this.#holders.get(holderId)!;
    holder.groupIds.delete(groupId);
    if (holder.groupIds.size === 0) this.#holders.delete(holderId);
  }

  clear(): void {
    this.#holders.clear();
    this.#holderOf.clear();
  }

  /** Takes in what a heartbeat brought. Groups of the dead are no longer tracked. */
  update(health: readonly HolderHealth[], askedAtMs: number): HolderNews {
    const orphaned: string[] = [];
    const released: string[] = [];
    const suspect: string[] = [];
    for (const { sessionId, remainingMs, releaseCount } of health) {
      const holder = this.#holders.get(sessionId);
      if (!holder) continue;
      if (remainingMs <= 0) {
        addAll(releaseCount > holder.releaseCount ? released : orphaned, holder.groupIds);
        continue;
      }
      holder.expiresAtMs = askedAtMs + remainingMs;
      if (releaseCount === holder.releaseCount) continue;
      holder.releaseCount = releaseCount;
      addAll(suspect, holder.groupIds);
    }
    for (const groupId of [...orphaned, ...released]) this.untrack(groupId);
    return { orphaned, released, suspect };
  }

  /** Groups whose holder's session should have expired by now, `limit` at most. They are no longer tracked. */
  takeExpired(nowMs: number, delayMs: number, limit: number): readonly string[] {
    const expired: string[] = [];
    for (const holder of this.#holders.values()) {
      if (holder.expiresAtMs + delayMs > nowMs) continue;
      for (const groupId of holder.groupIds) {
        if (expired.length === limit) break;
        expired.push(groupId);
      }
    }
    for (const groupId of expired) this.untrack(groupId);
    return expired;
  }
}

/** Not `push(...more)`: so many arguments as one holder may have groups do not fit on the stack. */
function addAll(list: string[], more: ReadonlySet<string>): void {
  for (const groupId of more) list.push(groupId);
}
