/** What a member is started with: plain data, for its command line. */
export interface MemberStart {
  /** The URL of the module whose default export is the target, and the namespace in it. */
  readonly module: string;
  readonly namespace: string;
  readonly memberId: string;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  readonly work: MemberWork;
  /** Whether it waits for `begin` before it touches the database. */
  readonly isHeldBack: boolean;
}

/** What a member does while it leads. */
export type MemberWork =
  /** Tells that it works, again and again, until it must stop. */
  | { readonly kind: 'lasts' }
  /** Raises the number in a file by one, without any lock, and ends. */
  | { readonly kind: 'counts'; readonly file: string }
  | { readonly kind: 'throws' }
  /** Says that it lives no more than once, and heeds no signal; the process is to end then (F4). */
  | { readonly kind: 'hangs'; readonly watchdogMs: number };

/** What a member tells. */
export type MemberMessage =
  /** It is held back, and can begin. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'group'; readonly from: string; readonly to: string; readonly reason: string; readonly term: number | null }
  /** A claim may have ended without an answer: it failed, or its session was lost. */
  | { readonly kind: 'claim-unanswered' }
  | { readonly kind: 'leads'; readonly term: number; readonly sessionId: string }
  | { readonly kind: 'works'; readonly term: number }
  /** Somebody else counted at the same time. */
  | { readonly kind: 'overlaps'; readonly term: number }
  | { readonly kind: 'stopped'; readonly term: number; readonly reason: string };

/** What a member can be asked for. `atMs`: the starting signal, in ms since 1970. */
export type MemberCommand = { readonly kind: 'begin'; readonly atMs: number } | { readonly kind: 'close' };
