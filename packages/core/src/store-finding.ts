/** How it is with what a store has looked at: as it should be; to be known; or not as it must be. */
export type FindingState = 'ok' | 'note' | 'problem';

/** Something that a store has found out about its database. For people; nothing branches on its texts. */
export interface StoreFinding {
  /** What was looked at: lower-case letters and hyphens, such as `permissions`, `replication`. Stable. */
  readonly topic: string;
  readonly state: FindingState;
  /** What was found, in one line without a full stop. Never has a secret. */
  readonly summary: string;
  /** What to do about it, in one line or several: often a statement to run. */
  readonly advice?: string;
}
