import { describe, expect, it } from 'vitest';
import { isFenceRefusal, isGuardRefusal } from './fence-refusal.js';

describe('the refusal of a fence statement', () => {
  it('is found in the driver’s error and in whatever wraps it', () => {
    const native = new Error('invalid input syntax for type integer: "wb-fenced: the lease does not stand"');
    expect(isFenceRefusal(native)).toBe(true);
    expect(isFenceRefusal(new Error('Failed query', { cause: native }))).toBe(true);
    expect(isFenceRefusal(Object.assign(new Error('DatabaseError'), { parent: { original: native } }))).toBe(true);
    expect(isFenceRefusal({ code: 'P2010', meta: { code: '22P02', message: native.message } })).toBe(true);
  });

  it.each([
    ['MySQL', "BIGINT UNSIGNED value is out of range in '(18446744073709551615 + if((count(0) = 1),0,length('wb-fenced')))'"],
    ['MariaDB', "BIGINT UNSIGNED value is out of range in '18446744073709551615 + if(count(0) = 1,0,octet_length('wb-fenced'))'"],
    ['SQLite', "bad JSON path: 'wb-fenced: the lease does not stand'"],
  ])('is found in what %s says', (_database, message) => {
    expect(isFenceRefusal(new Error(message))).toBe(true);
  });

  it('is not found in a name that a library quotes among the parameters of a statement that failed', () => {
    const cause = new Error('duplicate key value violates unique constraint "invoice_pkey"');
    const quoted = new Error('Failed query: insert into invoice values ($1, $2)\nparams: wb-fenced-invoices,7', { cause });
    expect(isFenceRefusal(quoted)).toBe(false);
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

describe('the refusal of a guard', () => {
  it('is found in the driver’s error and in whatever wraps it, and is told from a write that states no term', () => {
    const native = new Error('wb-guard-stale: a later term has written to this table');
    expect(isGuardRefusal(native)).toBe(true);
    expect(isGuardRefusal(new Error('Failed query', { cause: native }))).toBe(true);
    expect(isGuardRefusal(new Error('wb-guard-unstated: this write does not state its term'))).toBe(false);
    expect(isFenceRefusal(native)).toBe(false);
  });
});
