/** What a node tells whoever has started it: a run begins. */
export interface Begun {
  readonly occurrence: number;
  /** Whether it had been begun before, by a leader that died. */
  readonly isRerun: boolean;
  readonly memberId: string;
}
