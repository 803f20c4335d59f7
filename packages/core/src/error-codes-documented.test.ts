import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const source = readFileSync(new URL('errors.ts', import.meta.url), 'utf8');
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The union is a type and leaves nothing behind at run time. */
const union = /export type WbErrorCode =([^;]+);/.exec(source)?.[1] ?? '';
const codes = [...union.matchAll(/^\s*\| '([A-Z_]+)'/gm)].map(([, code]) => code);
const headings = [...readme.matchAll(/^### ([A-Z]+(?:_[A-Z]+)*)$/gm)].map(([, code]) => code);

describe('the README of @wb/core', () => {
  it('has a heading for every error code, in the order of the type, and none that is stale', () => {
    expect(codes).toContain('INVALID_OPTION');
    expect(headings).toEqual(codes);
  });
});
