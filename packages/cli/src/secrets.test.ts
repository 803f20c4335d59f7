import { describe, expect, it } from 'vitest';
import { passwordsOf, redact } from './secrets.js';
import { parseStoreUrl } from './store-target.js';

const shown = (text: string, url: string): string => redact(text, passwordsOf(parseStoreUrl(url)));

describe('a text without secrets', () => {
  it('has no credentials of any URL, also of one with an @ in its password', () => {
    expect(redact("unknown option '--stroe=postgres://u:hun@ter@h/d'", [])).toBe("unknown option '--stroe=postgres://***@h/d'");
    expect(redact('mysql://u:x@h/d?ssl=1&password=hunter2&a=1', [])).toBe('mysql://***@h/d?ssl=1&password=***&a=1');
  });

  it.each([
    ['postgres://u:hunter%322@h/d', 'no hunter22, no hunter%322'],
    ['postgres://h/d?user=u&password=hunter22', 'no hunter22, no "hunter22"'],
    ['mysql://u:hun@ter2@h/d', 'no hun@ter2, no hun%40ter2'],
  ])('has not the password of %s, however it is written', (url, text) => {
    expect(shown(text, url)).toMatch(/^no "?\*\*\*"?, no "?\*\*\*"?$/);
  });

  it('is still a message when the password is a word or a number of it', () => {
    const message = 'password authentication failed for user "root" (using password: YES)';
    expect(shown(message, 'postgres://u:password@h/d')).toBe(message);
    expect(shown(message, 'postgres://u:root@h/d')).toBe(message.replace('"root"', '"***"'));
    expect(shown('term 1 of 10', 'postgres://u:1@h/d')).toBe('term 1 of 10');
  });

  it.each(['password: secret', 'password=secret', "'secret'", '`secret`', 'u:secret@h', 'secret@h'])(
    'has not even such a password where nothing else stands: %s',
    (text) => {
      expect(shown(text, 'postgres://u:secret@h/d')).not.toContain('secret');
    },
  );
});
