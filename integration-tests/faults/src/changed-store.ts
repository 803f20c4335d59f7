import type { LeaseStore } from '@wb/core';

/** The same store with a few methods changed. */
export function changedStore(store: LeaseStore, changes: Partial<LeaseStore>): LeaseStore {
  return new Proxy(store, {
    get: (target, name) => {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name) as unknown;
      const value: unknown = Reflect.get(target, name, target);
      // Private fields are found on the store itself only.
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
