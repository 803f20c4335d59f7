import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WbOptionError } from './errors.js';
import { assertName, MAX_NAME_LENGTH } from './names.js';

function refusal(value: unknown, field: string = 'groupId'): WbOptionError | null {
  try {
    assertName(field, value);
    return null;
  } catch (error) {
    if (error instanceof WbOptionError) return error;
    throw error;
  }
}

describe('F7: a name', () => {
  it.each<[string, string]>([
    ['one letter', 'a'],
    ['one blank', ' '],
    ['255 letters', 'x'.repeat(255)],
    ['255 characters outside the basic plane', '😀'.repeat(255)],
    ['255 characters of two bytes', 'é'.repeat(255)],
    ['accents, composed and decomposed', 'é e\u0301'],
    ['quotes and backslashes', `"'\`\\%_;--`],
    ['blanks at either end', '  a  '],
    ['an invisible character that is no control character', 'a\u200Bb\uFEFF'],
    ['a line separator', 'a\u2028b'],
    ['"constructor"', 'constructor'],
  ])('may be %s', (_, name) => {
    expect(refusal(name)).toBeNull();
  });

  it.each<[string, string, string]>([
    ['empty', '', '`groupId` ("") has 0 characters; it must have 1 to 255'],
    ['256 letters', 'x'.repeat(256), 'has 256 characters; it must have 1 to 255'],
    ['256 characters outside the basic plane', '😀'.repeat(256), 'has 256 characters'],
    ['a tab', 'a\tb', 'must have no control characters'],
    ['a line feed at its end', 'a\n', 'must have no control characters'],
    ['NUL', '\0', 'must have no control characters'],
    ['DEL', 'a\u007F', 'must have no control characters'],
    ['a C1 control character', 'a\u0085b', 'must have no control characters'],
    ['a lone high surrogate', 'a\uD83D', 'unpaired surrogates'],
    ['a lone low surrogate', '\uDE00a', 'unpaired surrogates'],
    ['two surrogates the wrong way round', '\uDE00\uD83D', 'unpaired surrogates'],
  ])('is refused: %s', (_, name, message) => {
    expect(refusal(name)).toMatchObject({ code: 'INVALID_NAME', field: 'groupId', message: expect.stringContaining(message) });
  });

  it.each([undefined, null, 7, {}, ['a'], Symbol('a'), new String('a')])('is refused when it is no string: %s', (name) => {
    expect(refusal(name)).toMatchObject({
      code: 'INVALID_NAME',
      message: `\`groupId\` (${typeof name}) must be a string of 1 to 255 characters`,
    });
  });

  it('is refused by the name of its own field, and no more than its beginning is shown', () => {
    const error = refusal('s3cret'.repeat(1_000), 'memberId');
    expect(error).toMatchObject({ field: 'memberId' });
    expect(error!.message.length).toBeLessThan(150);
    expect(error!.message).toContain('…');
  });

  it('is accepted exactly when it is well-formed, has 1 to 255 code points, and none of them is a control character', () => {
    const unit = fc.oneof(fc.integer({ min: 0, max: 0xff }), fc.integer({ min: 0xd7ff, max: 0xe001 }), fc.constant(0x61));
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 300, size: 'max' }), (units) => {
        const name = String.fromCharCode(...units);
        const points = [...name].map((char) => char.codePointAt(0)!);
        const isFine = points.every((point) => point > 0x1f && (point < 0x7f || point > 0x9f) && (point < 0xd800 || point > 0xdfff));
        expect(refusal(name) === null).toBe(points.length >= 1 && points.length <= MAX_NAME_LENGTH && isFine);
      }),
      { examples: [[[0xd83d, 0xde00]], [[0x61]], [[]]] },
    );
  });
});
