import type { ClaimResult, LeaseRelease, ReleaseResult, ResignRequestResult, TermRecord } from '@wb/core';
import { MemoryDatabase, type StoreInstant, type TermRow } from '@wb/core/memory';
import { RETENTION_MS, type Mutant } from './mutant.js';

class Wrong extends MemoryDatabase {
  constructor() {
    super(RETENTION_MS);
  }

  protected lastRow(groupId: string): TermRow | undefined {
    return this.terms.get(groupId)?.[0];
  }
}

class NotRecordingTakeovers extends Wrong {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const results = super.claim(sessionId, groupIds, nowMs);
    for (const result of results) {
      if (result.kind === 'granted' && result.fresh && result.term > 1) this.terms.get(result.groupId)!.shift();
    }
    return results;
  }
}

class RecordingReclaims extends Wrong {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const results = super.claim(sessionId, groupIds, nowMs);
    for (const result of results) {
      if (result.kind === 'granted' && !result.fresh) this.terms.get(result.groupId)!.unshift({ ...this.lastRow(result.groupId)! });
    }
    return results;
  }
}

class RecordingOneOfABatch extends Wrong {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const results = super.claim(sessionId, groupIds, nowMs);
    for (const groupId of groupIds.slice(1)) this.terms.delete(groupId);
    return results;
  }
}

/** Also what frees nothing. */
class NotingEveryRelease extends Wrong {
  override release(sessionId: string, leases: readonly LeaseRelease[], nowMs: StoreInstant): readonly ReleaseResult[] {
    const results = super.release(sessionId, leases, nowMs);
    for (const { groupId, reason = 'released' } of leases) {
      const row = this.lastRow(groupId);
      if (row) row.end = { at: nowMs, reason };
    }
    return results;
  }
}

class WithoutReasons extends Wrong {
  override release(sessionId: string, leases: readonly LeaseRelease[], nowMs: StoreInstant): readonly ReleaseResult[] {
    return super.release(
      sessionId,
      leases.map(({ groupId, term }) => ({ groupId, term })),
      nowMs,
    );
  }
}

class EndingWhenTakenOver extends Wrong {
  override history(groupIds: readonly string[], limit: number, nowMs: StoreInstant): readonly TermRecord[] {
    return super
      .history(groupIds, limit, nowMs)
      .map((record) =>
        record.endReason === 'expired' && this.lastRow(record.groupId)?.end === null ? { ...record, endedAgoMs: 0 } : record,
      );
  }
}

class EndingLiveTerms extends Wrong {
  override history(groupIds: readonly string[], limit: number, nowMs: StoreInstant): readonly TermRecord[] {
    return super.history(groupIds, limit, nowMs).map((record) => ({ ...record, endedAgoMs: record.endedAgoMs ?? 0 }));
  }
}

class KeepingEverything extends Wrong {
  readonly #all = new Map<string, TermRow[]>();

  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const results = super.claim(sessionId, groupIds, nowMs);
    for (const result of results) {
      if (result.kind !== 'granted' || !result.fresh) continue;
      const rows = [this.lastRow(result.groupId)!, ...(this.#all.get(result.groupId) ?? [])];
      this.#all.set(result.groupId, rows);
      this.terms.set(result.groupId, rows);
    }
    return results;
  }

  override history(groupIds: readonly string[], _limit: number, nowMs: StoreInstant): readonly TermRecord[] {
    return super.history(groupIds, Number.POSITIVE_INFINITY, nowMs);
  }
}

class PruningTheRecord extends Wrong {
  override prune(nowMs: StoreInstant): void {
    const before = new Set(this.sessions.keys());
    super.prune(nowMs);
    for (const rows of this.terms.values()) {
      for (const row of rows.filter(({ sessionId }) => before.has(sessionId) && !this.sessions.has(sessionId)))
        rows.splice(rows.indexOf(row), 1);
    }
  }
}

/** The holder's heartbeat never tells. */
class NotCountingRequests extends Wrong {
  override requestResign(groupId: string, nowMs: StoreInstant): ResignRequestResult {
    const answer = super.requestResign(groupId, nowMs);
    if (answer.kind === 'requested') this.sessions.get(answer.holder.sessionId)!.grantCount -= 1;
    return answer;
  }
}

class MarkingTheSession extends Wrong {
  override requestResign(groupId: string, nowMs: StoreInstant): ResignRequestResult {
    const answer = super.requestResign(groupId, nowMs);
    if (answer.kind === 'requested') {
      for (const held of this.sessions.get(answer.holder.sessionId)!.holds) this.lastRow(held)!.resignRequested = true;
    }
    return answer;
  }
}

class AskingTheDead extends Wrong {
  override requestResign(groupId: string, nowMs: StoreInstant): ResignRequestResult {
    const row = this.lastRow(groupId);
    const session = row && this.sessions.get(row.sessionId);
    if (!session) return { kind: 'not-held' };
    const answer = super.requestResign(groupId, nowMs);
    if (answer.kind === 'requested') return answer;
    session.grantCount += 1;
    const { sessionId, memberId, releaseCount } = session;
    return { kind: 'requested', holder: { sessionId, memberId, term: row.term, remainingMs: 1, releaseCount } };
  }
}

class CountingEachRequest extends Wrong {
  override requestResign(groupId: string, nowMs: StoreInstant): ResignRequestResult {
    const row = this.lastRow(groupId);
    if (row) row.resignRequested = false;
    return super.requestResign(groupId, nowMs);
  }
}

class AskingSilently extends Wrong {
  protected override hint(groupIds: readonly string[], resign: boolean = false): void {
    if (!resign) super.hint(groupIds);
  }
}

/** Stores that are wrong about the record of terms, and about requests to resign. */
export const termMutants: readonly Mutant[] = [
  { title: 'a takeover is not recorded', killedBy: 'H1.1', database: () => new NotRecordingTakeovers() },
  { title: 'a repeated claim is recorded as a term', killedBy: 'H1.1', database: () => new RecordingReclaims() },
  { title: 'only the first group of a batch is recorded', killedBy: 'H1.2', database: () => new RecordingOneOfABatch() },
  { title: 'a release that frees nothing ends the term in the record', killedBy: 'H2.1', database: () => new NotingEveryRelease() },
  { title: 'the reason of a release is forgotten', killedBy: 'H2.1', database: () => new WithoutReasons() },
  { title: 'an expired term ends when somebody looks', killedBy: 'H2.2', database: () => new EndingWhenTakenOver() },
  { title: 'a live term has an end', killedBy: 'H2.3', database: () => new EndingLiveTerms() },
  { title: 'the record grows for ever', killedBy: 'H3.1', database: () => new KeepingEverything() },
  { title: 'the record goes with the session', killedBy: 'H3.2', database: () => new PruningTheRecord() },
  { title: 'a request to resign is not counted on the session', killedBy: 'R1.1', database: () => new NotCountingRequests() },
  { title: 'a request to resign marks every lease of the session', killedBy: 'R1.1', database: () => new MarkingTheSession() },
  { title: 'no hint says that a leader was asked to resign', killedBy: 'R1.2', database: () => new AskingSilently() },
  { title: 'dead sessions are asked to resign', killedBy: 'R2.1', database: () => new AskingTheDead() },
  { title: 'each request to resign counts', killedBy: 'R3.1', database: () => new CountingEachRequest() },
];
