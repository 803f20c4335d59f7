import type { StoreTarget } from './adapters.js';

let kept: readonly string[] = [];

/** Keeps the password of the store in use out of what is printed from now on. */
export function keepSecret(target: StoreTarget): void {
  kept = passwordsOf(target);
}

/** A text without the secrets of the store in use, and without what looks like one of another's. */
export function withoutSecrets(text: string): string {
  return redact(text, kept);
}

/** What comes before a host, up to the last `@`: a password may have one. */
const CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s"'`]*@/gi;
/** The parameters of a URL that drivers take for secrets. */
const PARAMETERS = /([?&](?:password|passwd|sslpassword)=)[^\s"'`&#]+/gi;

/**
 * Takes passwords out of a text that somebody else wrote. One of letters and others is taken out everywhere; one that could be a word or a number of the message (`password`, `1`) only where nothing but a password stands:
 * in quotes, after `:` or `=`, or before `@`.
 */
export function redact(text: string, passwords: readonly string[]): string {
  let shown = text.replace(CREDENTIALS, '$1***@').replace(PARAMETERS, '$1***');
  for (const password of passwords) {
    if (password === '') continue;
    if (/\p{L}/u.test(password) && /\P{L}/u.test(password)) {
      shown = shown.replaceAll(password, '***');
      continue;
    }
    const literal = password.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
    shown = shown.replaceAll(
      new RegExp(`(["'\`])${literal}(?=\\1)|([:=]\\s?)${literal}(?![\\p{L}\\d])|(?<![\\p{L}\\d])${literal}(?=@)`, 'gu'),
      '$1$2***',
    );
  }
  return shown;
}

/** The passwords in a target, as they are written and as they are meant, the longest first. */
export function passwordsOf(target: StoreTarget): readonly string[] {
  if (target.adapter === 'sqlite') return [];
  const written = 'fields' in target ? [target.fields.password] : urlPasswords(target.connectionString);
  const given = written.filter((password): password is string => password !== undefined && password !== '');
  return [...new Set(given.flatMap((password) => [password, decoded(password), encodeURIComponent(password)]))].toSorted(
    (a, b) => b.length - a.length,
  );
}

function urlPasswords(url: string): readonly (string | undefined)[] {
  const [, authority = ''] = /^[^:]+:\/\/(.*)@[^@]*$/s.exec(url) ?? [];
  const at = authority.indexOf(':');
  const parameters = [...url.matchAll(/[?&](?:password|passwd|sslpassword)=([^&#]*)/gi)].map(([, value]) => value);
  return [at < 0 ? undefined : authority.slice(at + 1), ...parameters];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
