import { describe, expect, it } from 'vitest';
import { isFenceRefusal } from './fence-refusal.js';

describe('the refusal of a fence statement', () => {
  it('is found in the driver’s error and in whatever wraps it', () => {
    const native = new Error('invalid input syntax for type integer: "wb-fenced: the lease does not stand"');
    expect(isFenceRefusal(native)).toBe(true);
    expect(isFenceRefusal(new Error('Failed query', { cause: native }))).toBe(true);
    expect(isFenceRefusal(Object.assign(new Error('DatabaseError'), { parent: { original: native } }))).toBe(true);
    expect(isFenceRefusal({ code: 'P2010', meta: { code: '22P02', message: native.message } })).toBe(true);
  });

  it('is not found in other faults, also if a library quotes the statement, nor in things that are no errors', () => {
    expect(isFenceRefusal(new Error("select case … cast('wb-' || 'fenced' as int) - Connection terminated"))).toBe(false);
    expect(isFenceRefusal(new Error('duplicate key value violates unique constraint "wb_fenced_lease"'))).toBe(false);
    for (const value of [undefined, null, 'wb-fenced', 7]) expect(isFenceRefusal(value)).toBe(false);
    const circle = new Error('circle');
    circle.cause = circle;
    expect(isFenceRefusal(circle)).toBe(false);
  });
});
