import type { TermRecord } from '@wb/core';

/** One term as the database has it, with its session and its lease. Ages are in ms by the store's clock; numbers may come as text. */
export interface TermRow {
  readonly groupId: string;
  readonly term: number | string;
  readonly sessionId: string;
  readonly memberId: string;
  readonly beganAgoMs: number | string;
  readonly endedAgoMs: number | string | null;
  readonly endReason: string | null;
  /** 1 when the lease is of this term and names this session, and that is live. */
  readonly stands: number | string;
  /** The session's `closed`; `null` when it was pruned. */
  readonly closed: number | string | null;
  /** How long ago the session expired, or was closed; below 0 while it has not. `null` when it was pruned. */
  readonly sessionEndedAgoMs: number | string | null;
}

/**
 * Reads the history of groups out of its rows: for each group the latest term first (H1, H2). Where nobody has noted the end of a term, its session's end is that, or the beginning of the next term if that
 * came first or the session is gone.
 */
export function termRecords(rows: readonly TermRow[]): TermRecord[] {
  let next: TermRecord | null = null;
  return rows.map((row): TermRecord => {
    const { groupId, sessionId, memberId } = row;
    const successor: TermRecord | null = next?.groupId === groupId ? next : null;
    const beganAgoMs = age(row.beganAgoMs);
    const end = Number(row.stands) === 1 && successor === null ? { endedAgoMs: null, endReason: null } : endOf(row, beganAgoMs, successor);
    const record: TermRecord = { groupId, term: Number(row.term), sessionId, memberId, beganAgoMs, ...end };
    next = record;
    return record;
  });
}

function endOf(row: TermRow, beganAgoMs: number, successor: TermRecord | null): Pick<TermRecord, 'endedAgoMs' | 'endReason'> {
  const ages = [row.endedAgoMs ?? row.sessionEndedAgoMs, successor?.beganAgoMs].filter((ms) => ms !== null && ms !== undefined);
  // The longest ago is the earliest; and no term ends before it began.
  const endedAgoMs = ages.length === 0 ? null : Math.min(beganAgoMs, Math.max(...ages.map(age)));
  return { endedAgoMs, endReason: row.endReason ?? (Number(row.closed) === 2 ? 'closed' : 'expired') };
}

/** Never below 0: a clock that was set back makes nothing end in the future. */
function age(ms: number | string): number {
  return Math.max(0, Number(ms));
}
