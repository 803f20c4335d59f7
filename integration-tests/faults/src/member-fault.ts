import type { MemberProcess } from './member-process.js';
import type { Members } from './members.js';

/** A fault of one member, or of its way to the database. */
export interface MemberFault {
  readonly kind: string;
  /** How long it lasts, in TTLs, at least and at most. */
  readonly lastsTtls: readonly [number, number];
  /** Whether the database hears nothing more of the member from the beginning on: then T9 counts from there, and not from the end. */
  readonly sparesOthers: boolean;
  /** Whether it means nothing to one who does not lead: then it always aims at a leader. */
  readonly isForLeaders?: boolean;
  /** Injects it. Resolves to what heals it. */
  inject(target: MemberFaultTarget): Promise<() => Promise<void> | void>;
}

export interface MemberFaultTarget {
  readonly process: MemberProcess;
  readonly members: Members;
  readonly forMs: number;
  /** From 0 to below 1. */
  readonly dice: number;
}
