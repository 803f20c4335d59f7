/** How many groups one transaction takes at most. */
const PART_SIZE = 500;
/**
 * How many bytes of names one transaction takes at most. The server sends answers before the commit; if the client is frozen, what does not fit into the buffers of the
 * connection would keep the transaction, and its locks, waiting.
 */
const PART_BYTES = 65_536;

/** Sorts texts as the tables' keys are sorted: by code points, which is by their bytes. Locks in two orders make deadlocks. */
export function sortedTexts(texts: Iterable<string>): string[] {
  return [...texts]
    .map((text) => ({ text, bytes: Buffer.from(text, 'utf8') }))
    .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ text }) => text);
}

/** Cuts a batch into parts that one transaction takes. */
export function* boundedParts<T>(items: readonly T[], nameOf: (item: T) => string): Generator<readonly T[], void, void> {
  let part: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = Buffer.byteLength(nameOf(item), 'utf8');
    if (part.length >= PART_SIZE || (part.length > 0 && bytes + size > PART_BYTES)) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
