/** What is going on, on one line that is written over; on a terminal only. */
export class ProgressLine {
  readonly #stream = process.stderr;

  show(text: string): void {
    if (this.#stream.isTTY) this.#stream.write(`\r\u001B[K${text}`);
  }

  /** A line that stays. */
  print(text: string): void {
    this.end();
    console.log(text);
  }

  end(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001B[K');
  }
}
