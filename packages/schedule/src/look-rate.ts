/** How many looks at records one process makes in a second, at most, whatever the number of groups that it leads. */
const MAX_LOOKS_PER_SECOND = 500;

/**
 * How often each group looks at its records: shared by those of one coordinator. A look is only there for what operators want, so that it may become rarer; times come without it.
 */
export class LookRate {
  #leadingCount = 0;

  /** One group more. @returns takes it back. */
  begin(): () => void {
    this.#leadingCount += 1;
    return () => {
      this.#leadingCount -= 1;
    };
  }

  /** How long a group waits for its next look, in ms. */
  pauseMs(refreshMs: number): number {
    return Math.max(refreshMs, (this.#leadingCount * 1_000) / MAX_LOOKS_PER_SECOND);
  }
}
