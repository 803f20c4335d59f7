/** What a member is started with: plain data, for its command line. */
export interface MemberStart {
  readonly filename: string;
  readonly memberId: string;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  /** A file with a number that each leadership raises by one, and then ends; `null`: it leads until it must stop. */
  readonly counterFile: string | null;
}

/** What a member tells. */
export type MemberMessage =
  | { readonly kind: 'group'; readonly from: string; readonly to: string; readonly reason: string; readonly term: number | null }
  | { readonly kind: 'leads'; readonly term: number; readonly sessionId: string }
  | { readonly kind: 'works'; readonly term: number }
  | { readonly kind: 'stopped'; readonly term: number; readonly reason: string };

/** What a member can be asked for. */
export type MemberCommand = 'close';
