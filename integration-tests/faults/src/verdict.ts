import type { Gap } from './leaderless.js';
import type { Leadership } from './leaderships.js';

/** A rule that a run broke. */
export interface Violation {
  readonly rule: string;
  readonly message: string;
  readonly atMs: number;
}

/** What the checker found. */
export interface Verdict {
  readonly violations: readonly Violation[];
  readonly leaderships: readonly Leadership[];
  /** Writes of a leader that had been succeeded, refused by the fence. */
  readonly staleRefusedCount: number;
  readonly writtenCount: number;
  /** Times without a leader, between two leaderships of a group. */
  readonly gaps: readonly Gap[];
  /** Trust that overlapped while the database's clock was moved: what T2 does not cover. */
  readonly clockOverlapCount: number;
  /** The longest time for which a group had no leader while nothing was broken, in ms: T9 limits it. */
  readonly longestCalmGapMs: number;
}
