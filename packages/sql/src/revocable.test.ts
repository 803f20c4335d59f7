import { describe, expect, it } from 'vitest';
import { revocable } from './revocable.js';

class Native {
  #count = 0;
  label = 'native';

  get count(): number {
    return this.#count;
  }

  add(by: number): this {
    this.#count += by;
    return this;
  }

  child(): { readonly name: string } {
    return { name: 'child' };
  }
}

describe('an object that is lent', () => {
  it('does what the original does, with its private parts', () => {
    const native = new Native();
    const lent = revocable(native, () => null);
    expect(lent).toBeInstanceOf(Native);
    expect(lent.constructor).toBe(Native);
    expect(lent.add(2).add(3).count).toBe(5);
    lent.label = 'changed';
    expect(native.label).toBe('changed');
    expect(lent.child().name).toBe('child');
  });

  it('can be used for nothing any more when it was taken back, nor can what was kept of it', async () => {
    const native = new Native();
    let fault: Error | null = null;
    const lent = revocable(native, () => fault);
    const chained = lent.add(1);
    const { add } = lent;
    fault = new Error('over');
    expect(() => lent.add(1)).toThrow(fault);
    expect(() => chained.add(1)).toThrow(fault);
    expect(() => add(1)).toThrow(fault);
    expect(() => lent.label).toThrow(fault);
    expect(() => (lent.label = 'late')).toThrow(fault);
    expect(native.count).toBe(1);
    // To return it is to use it for nothing.
    expect(await Promise.resolve(1).then(() => lent)).toBe(lent);
  });

  it('wraps the results of the methods that are named', () => {
    const lent = revocable(new Native(), () => null, { child: (child) => ({ name: `wrapped ${Reflect.get(Object(child), 'name')}` }) });
    expect(lent.child().name).toBe('wrapped child');
  });
});
