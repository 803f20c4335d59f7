import { describe, expect, it } from 'vitest';
import { optionErrorOf } from '../test-support/option-error.js';
import { assertMetadata, MAX_METADATA_BYTES } from './metadata.js';

/** Metadata that take that many bytes as JSON. */
function ofBytes(bytes: number): Record<string, string> {
  return { k: 'x'.repeat(bytes - '{"k":""}'.length) };
}

describe('metadata', () => {
  it.each([{}, { host: 'north', version: '1.2.3' }, { '': '' }, Object.assign(Object.create(null) as object, { host: 'north' })])(
    'are a record of strings: %j',
    (metadata) => {
      expect(() => assertMetadata('metadata', metadata)).not.toThrow();
    },
  );

  it.each([null, 'host', 7, ['host'], [], { port: 80 }, { host: undefined }, { nested: {} }, { when: null }])(
    'are nothing else: %j',
    (metadata) => {
      expect(() => assertMetadata('metadata', metadata)).toThrow(
        expect.objectContaining({
          name: 'WbOptionError',
          code: 'INVALID_OPTION',
          field: 'metadata',
          message: expect.stringContaining('must be a record of strings'),
        }),
      );
    },
  );

  it('take 4,096 bytes as JSON and not one more', () => {
    expect(MAX_METADATA_BYTES).toBe(4_096);
    expect(() => assertMetadata('metadata', ofBytes(4_096))).not.toThrow();
    expect(() => assertMetadata('metadata', ofBytes(4_097))).toThrow('`metadata` takes 4097 bytes as JSON; it may take 4096');
  });

  it('are counted in bytes of UTF-8, not in characters', () => {
    expect(() => assertMetadata('metadata', { k: 'é'.repeat(2_044) })).not.toThrow();
    expect(() => assertMetadata('metadata', { k: 'é'.repeat(2_045) })).toThrow('takes 4098 bytes');
  });

  it('that are wrong are not shown at length', () => {
    const error = optionErrorOf(() => assertMetadata('metadata', { list: Array.from({ length: 10_000 }, () => 'x') }));
    expect(error.message.length).toBeLessThan(150);
  });
});
