import pc from 'picocolors';
import { nowMs } from './machine-time.js';
import { MEMBER_IDS } from './settings.js';

type Paint = (text: string) => string;

/** Where a line's remark begins. */
const REMARK_COLUMN = 66;

/** The lines on the screen: an instant, who, what, and a remark at the right. */
export class Timeline {
  readonly #startedAtMs: number;
  readonly #write: (line: string) => void;
  /** Colours, or the identity when nobody could see them. */
  readonly colours: ReturnType<typeof pc.createColors>;

  /** @param hasColours Default: on a terminal, unless `NO_COLOR` is set. */
  constructor(startedAtMs: number, write: (line: string) => void, hasColours = process.stdout.isTTY && pc.isColorSupported) {
    this.#startedAtMs = startedAtMs;
    this.#write = write;
    this.colours = pc.createColors(hasColours);
  }

  get elapsedMs(): number {
    return nowMs() - this.#startedAtMs;
  }

  /** A line about a member. `sign` is one character. */
  member(memberId: string, sign: string, text: string, remark = ''): void {
    const paint = this.paintOf(memberId);
    // Padded before it is painted: escape sequences have no width.
    const body = text.padEnd(REMARK_COLUMN - 22);
    this.#line(`${paint(`${sign} ${memberId}`)}  ${remark === '' ? text : `${body} ${this.colours.bold(remark)}`}`);
  }

  /** A line about nobody in particular. */
  note(text: string): void {
    this.#line(this.colours.dim(`          ${text}`));
  }

  /** Each member has its colour. */
  paintOf(memberId: string): Paint {
    const { cyan, magenta, yellow } = this.colours;
    return [cyan, magenta, yellow][MEMBER_IDS.findIndex((known) => known === memberId)] ?? String;
  }

  #line(text: string): void {
    this.#write(`${this.colours.dim(`${(this.elapsedMs / 1_000).toFixed(3).padStart(8)} s`)}  ${text}`);
  }
}
