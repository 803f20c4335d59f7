/** What becomes of the results of methods, by their names: of a statement that was prepared, for one. */
export type ResultWrappers = Readonly<Record<string, (result: unknown) => unknown>>;

/**
 * Lends an object of a driver, until it is taken back: what `fenced` gives to its work is used for something else afterwards. Methods run on the original itself: native and private parts are there alone.
 * @param fault Why it can be used no more, or `null`; what it returns is thrown.
 */
export function revocable<T extends object>(target: T, fault: () => Error | null, wrappers: ResultWrappers = {}): T {
  const methods = new Map<string | symbol, { readonly of: unknown; readonly method: unknown }>();
  const assertLent = (): void => {
    const error = fault();
    if (error !== null) throw error;
  };
  const methodOf = (name: string | symbol, value: (...values: never) => unknown): unknown => {
    const wrap = typeof name === 'string' && Object.hasOwn(wrappers, name) ? wrappers[name] : undefined;
    return (...values: unknown[]): unknown => {
      assertLent();
      const result: unknown = Reflect.apply(value, target, values);
      // A method that can be chained.
      if (result === target) return lent;
      return wrap === undefined ? result : wrap(result);
    };
  };
  const lent: T = new Proxy(target, {
    get: (_target, name): unknown => {
      // A promise that resolves to it looks for that one.
      if (name !== 'then') assertLent();
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function' || name === 'constructor') return value;
      let known = methods.get(name);
      if (known?.of !== value) methods.set(name, (known = { of: value, method: methodOf(name, value as () => unknown) }));
      return known.method;
    },
    set: (_target, name, value) => {
      assertLent();
      return Reflect.set(target, name, value, target);
    },
  });
  return lent;
}
