/** What the driver does to a leader. */
export type Cause = 'SIGKILL' | 'SIGSTOP' | 'resign';

/** Something that must end a leadership. */
export interface Blow {
  readonly cause: Cause;
  readonly memberId: string;
  readonly term: number;
  /** The instant just before the signal, or the request to resign, was sent. */
  readonly atMs: number;
  /** How long the takeover may take, in ms. */
  readonly limitMs: number;
}

/** A member that leads, since `atMs`. */
export interface Leadership {
  readonly memberId: string;
  readonly term: number;
  /** When its work began. */
  readonly atMs: number;
}

/** A leadership that followed a blow. */
export interface Takeover {
  readonly blow: Blow;
  readonly successor: Leadership;
  readonly tookMs: number;
}

/** Who led, and how long each takeover took: from the driver's blow to the first statement of the successor's work. */
export class TakeoverLog {
  readonly leaderships: Leadership[] = [];
  readonly takeovers: Takeover[] = [];
  #blow: Blow | null = null;

  get current(): Leadership {
    const current = this.leaderships.at(-1);
    if (!current) throw new Error('nobody has led yet');
    return current;
  }

  struck(blow: Blow): void {
    this.#blow = blow;
  }

  /** Notes a leadership; returns the takeover if it is the first after a blow. */
  led(leadership: Leadership): Takeover | null {
    this.leaderships.push(leadership);
    const blow = this.#blow;
    if (blow === null || leadership.term <= blow.term) return null;
    this.#blow = null;
    const takeover: Takeover = { blow, successor: leadership, tookMs: leadership.atMs - blow.atMs };
    this.takeovers.push(takeover);
    return takeover;
  }
}
