import type { ProcessHistory } from './history.js';
import type { Violation } from './verdict.js';

/** One leadership, put together from the history of its process. */
export interface Leadership {
  readonly group: string;
  readonly term: number;
  readonly session: string;
  readonly process: string;
  readonly beganAtMs: number;
  /** The last instant at which it surely was trusted: the end of its work, or of the trust that was last seen, whichever came first. */
  readonly trustedUntilMs: number;
  /** When it last surely worked: at its last unit of work. */
  readonly workedUntilMs: number;
  /** When its work settled; `null` if nobody lived to see it. */
  readonly endedAtMs: number | null;
  readonly abortReason: string | null;
}

type Draft = { -readonly [K in keyof Leadership]: Leadership[K] };

/** Every leadership of a process, in the order in which they began. What cannot be is noted in `violations`. */
export function leadershipsOf({ process, records }: ProcessHistory, violations: Violation[]): Leadership[] {
  const begun = new Map<string, Draft>();
  /** Those that go on, by their sessions: what extends a session extends them all. */
  const open = new Map<string, Set<Draft>>();
  for (const record of records) {
    if (record.kind === 'trust') {
      for (const leadership of open.get(record.session) ?? []) leadership.trustedUntilMs = record.untilMs;
      continue;
    }
    if (record.kind !== 'begin' && record.kind !== 'unit' && record.kind !== 'untold' && record.kind !== 'abort' && record.kind !== 'end')
      continue;
    const { atMs, group, term } = record;
    const key = `${group}\0${term}`;
    const leadership = begun.get(key);
    if (record.kind === 'begin') {
      const other = [...open.values()].flatMap((ofSession) => [...ofSession]).find((each) => each.group === group);
      if (other)
        violations.push({
          rule: 'T7',
          atMs,
          message: `${process} began ${group} in term ${term} while its work of term ${other.term} went on`,
        });
      if (leadership) violations.push({ rule: 'T6', atMs, message: `${process} began ${group} in term ${term} twice` });
      const { session, untilMs } = record;
      const draft: Draft = {
        group,
        term,
        session,
        process,
        beganAtMs: atMs,
        trustedUntilMs: untilMs,
        workedUntilMs: atMs,
        endedAtMs: null,
        abortReason: null,
      };
      begun.set(key, draft);
      const ofSession = open.get(session);
      if (ofSession) ofSession.add(draft);
      else open.set(session, new Set([draft]));
      continue;
    }
    if (!leadership) {
      violations.push({ rule: 'T10', atMs, message: `${process} worked on ${group} in term ${term}, which it never began` });
      continue;
    }
    const worked = (rule: string, how: string): void => {
      violations.push({ rule, atMs, message: `${process} worked on ${group} in term ${term} ${how}` });
    };
    switch (record.kind) {
      case 'unit':
        // Exact: nothing can come between the look at the lease and the signal, and the record.
        if (leadership.endedAtMs !== null) worked('T7', 'after its end');
        else if (leadership.abortReason !== null) worked('T4', 'after it had been told to stop');
        else if (record.untilMs <= atMs) worked('T4', 'without any trust left');
        leadership.trustedUntilMs = record.untilMs;
        leadership.workedUntilMs = atMs;
        break;
      case 'untold':
        worked('T4', 'and was not told that its trust had ended');
        break;
      case 'abort':
        leadership.abortReason = record.reason;
        break;
      case 'end':
        leadership.endedAtMs = atMs;
        leadership.trustedUntilMs = Math.min(leadership.trustedUntilMs, atMs);
        open.get(leadership.session)?.delete(leadership);
    }
  }
  return [...begun.values()];
}

/** By group, each in the order of its terms. */
export function byGroup(leaderships: readonly Leadership[]): Map<string, Leadership[]> {
  const groups = new Map<string, Leadership[]>();
  for (const leadership of leaderships) {
    const ofGroup = groups.get(leadership.group);
    if (ofGroup) ofGroup.push(leadership);
    else groups.set(leadership.group, [leadership]);
  }
  for (const ofGroup of groups.values()) ofGroup.sort((a, b) => a.term - b.term || a.beganAtMs - b.beganAtMs);
  return groups;
}
