/** From now on counts the calls of methods, in this process, whoever makes them; what is returned says how many. */
export function countCalls(owner: object, ...methods: readonly string[]): () => number {
  let count = 0;
  let depth = 0;
  for (const method of methods) {
    const original = Reflect.get(owner, method) as (...values: unknown[]) => unknown;
    Reflect.set(owner, method, function counting(this: unknown, ...values: unknown[]): unknown {
      // One of them may be made of another.
      if (depth === 0) count += 1;
      depth += 1;
      try {
        return original.apply(this, values);
      } finally {
        depth -= 1;
      }
    });
  }
  return () => count;
}
