/** What a writer is started with: plain data, for its command line. */
export interface WriterStart {
  readonly member: string;
  /** The target's name, and where it is found. */
  readonly target: string;
  readonly url: string;
  readonly group: string;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  /** How long it pauses before a transaction of its begins, before it writes in it, and after it has written, in ms. */
  readonly pauseMs: number;
  readonly isFenced: boolean;
}

/** What became of a transaction. `'failed'`: it was not committed, or nobody can tell. */
export type Outcome = 'committed' | 'refused' | 'failed';

/** What a writer tells the driver. */
export type WriterNews =
  /** It has looked at its lease, and a transaction is to begin. */
  | { readonly kind: 'begins'; readonly term: number; readonly id: string }
  /** The transaction is open, and the store has let it in. */
  | { readonly kind: 'inside'; readonly id: string }
  | { readonly kind: 'ended'; readonly term: number; readonly id: string; readonly outcome: Outcome };
