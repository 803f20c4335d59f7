/** How a member's process is started: as the only argument, in JSON. */
export interface MemberStart {
  /** `wb`: this SDK. `hand-written`: SQL of its own, on PostgreSQL. */
  readonly kind: 'wb' | 'hand-written';
  readonly url: string;
  readonly namespace: string;
  readonly memberId: string;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
}

/** What a member tells its parent. `atMs` is the monotonic clock of the machine, which all processes share. */
export type MemberMessage =
  | { readonly kind: 'stands-by' }
  | { readonly kind: 'leads'; readonly atMs: number }
  /** Its work has ended: from now on nobody leads. */
  | { readonly kind: 'stopped'; readonly atMs: number };

/** What a member is told. */
export type MemberCommand = { readonly kind: 'resign' } | { readonly kind: 'end' };

/** The monotonic clock of the machine, in ms. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1_000_000;
}
