/** Puts itself in front of a method while `work` runs, and returns the arguments of each call. The method does what it always does. */
export async function listenIn(owner: object, method: string, work: () => Promise<unknown>): Promise<readonly (readonly unknown[])[]> {
  const heard: unknown[][] = [];
  const original = Reflect.get(owner, method) as (...values: unknown[]) => unknown;
  Reflect.set(owner, method, function listening(this: unknown, ...values: unknown[]): unknown {
    heard.push(values);
    return original.apply(this, values);
  });
  try {
    await work();
  } finally {
    Reflect.set(owner, method, original);
  }
  return heard;
}
