const SPARE_ENTRIES = 64;

/**
 * Keys with their deadlines, the earliest first: one timer serves all groups. A deadline that moved later is found out when it comes up,
 * so that moving it (a `beat()`) costs nothing.
 */
export class DeadlineHeap {
  readonly #entries: { readonly atMs: number; readonly key: string }[] = [];
  /** The earliest entry of each key that is still in the heap. */
  readonly #earliest = new Map<string, number>();

  /** Makes sure that `key` comes up at `atMs` or before. */
  push(key: string, atMs: number): void {
    const known = this.#earliest.get(key);
    if (known !== undefined && known <= atMs) return;
    this.#earliest.set(key, atMs);
    // An entry that was overtaken lies in wait until it would have come up, which may be hours: no more of them than of the others.
    if (this.#entries.length >= 2 * this.#earliest.size + SPARE_ENTRIES) this.#rebuild();
    else this.#insert(key, atMs);
  }

  /** `key` does not come up any more. */
  remove(key: string): void {
    this.#earliest.delete(key);
  }

  /** How many entries there are, those included that were overtaken. */
  get size(): number {
    return this.#entries.length;
  }

  #rebuild(): void {
    this.#entries.length = 0;
    for (const [key, atMs] of this.#earliest) this.#insert(key, atMs);
  }

  #insert(key: string, atMs: number): void {
    const entries = this.#entries;
    let at = entries.length;
    entries.push({ atMs, key });
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (entries[parent]!.atMs <= atMs) break;
      entries[at] = entries[parent]!;
      at = parent;
    }
    entries[at] = { atMs, key };
  }

  /** The earliest deadline; infinite when there is none. */
  get nextMs(): number {
    return this.#entries[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Takes out every key whose entry is due. The caller pushes back those that have moved. */
  takeDue(nowMs: number): string[] {
    const due: string[] = [];
    while (this.nextMs <= nowMs) {
      const { key, atMs } = this.#pop();
      if (this.#earliest.get(key) !== atMs) continue;
      this.#earliest.delete(key);
      due.push(key);
    }
    return due;
  }

  #pop(): { readonly atMs: number; readonly key: string } {
    const entries = this.#entries;
    const top = entries[0]!;
    const last = entries.pop()!;
    const size = entries.length;
    if (size === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && entries[child + 1]!.atMs < entries[child]!.atMs) child += 1;
      if (entries[child]!.atMs >= last.atMs) break;
      entries[at] = entries[child]!;
      at = child;
    }
    entries[at] = last;
    return top;
  }
}
