/** One fault as it was injected. Times are on the machine's monotonic clock. */
export interface InjectedFault {
  readonly kind: string;
  /** Whom it befell; `null`: the database, and so everybody. */
  readonly member: string | null;
  readonly fromMs: number;
  readonly untilMs: number;
  /** From when on the others could lead, whatever became of this member: T9 counts from here. */
  readonly settledAtMs: number;
  /** Whether it moved the database's clock, on which T2 rests. */
  readonly movesClock: boolean;
}
