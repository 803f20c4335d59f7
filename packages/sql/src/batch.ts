/** Cuts a batch into parts of at most `size`, in order. */
export function* partsOf<T>(items: readonly T[], size: number): Generator<readonly T[], void, void> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}
