/** What a member is started with: plain data, for its command line. */
export interface MemberStart {
  readonly member: string;
  readonly process: string;
  /** The target's name, and where it is found. */
  readonly target: string;
  readonly url: string;
  readonly groups: readonly string[];
  /** Groups with a job each, beside the others. */
  readonly jobGroups: readonly string[];
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  /** A pause between two units of work, in ms, on average. */
  readonly unitMs: number;
  readonly historyPath: string;
  /** The planted fault that it suffers from, by name; `null`: none. */
  readonly plant: string | null;
  /** Whether that changes modules of the packages'. */
  readonly isPatched: boolean;
}

/** What the driver can ask a member to do. */
export type MemberCommand =
  { readonly kind: 'block'; readonly forMs: number } | { readonly kind: 'resign'; readonly group: string } | { readonly kind: 'close' };

/** What a member tells the driver: that its first session lives. Everything else is in its history. */
export type MemberNews = 'live';
