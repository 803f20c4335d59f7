import { describe, expect, it } from 'vitest';
import { defaultStoreFile, describeTarget, parseStoreUrl } from './store-target.js';

describe('the store by its URL', () => {
  it.each([
    ['postgres://u@h/d', { adapter: 'postgres', connectionString: 'postgres://u@h/d' }],
    ['postgresql://u@h/d', { adapter: 'postgres', connectionString: 'postgresql://u@h/d' }],
    ['mysql://u@h/d', { adapter: 'mysql', connectionString: 'mysql://u@h/d' }],
    ['mariadb://u@h/d', { adapter: 'mysql', connectionString: 'mariadb://u@h/d' }],
    ['sqlite:a/b.db', { adapter: 'sqlite', filename: 'a/b.db' }],
    ['sqlite:///a/b.db', { adapter: 'sqlite', filename: '/a/b.db' }],
    ['file:b.db', { adapter: 'sqlite', filename: 'b.db' }],
    ['file:///a%20b.db', { adapter: 'sqlite', filename: '/a b.db' }],
  ])('reads %s', (url, target) => {
    expect(parseStoreUrl(url)).toEqual(target);
  });

  it.each(['oracle://u:hunter2@h/d', 'hunter2', 'sqlite:', 'sqlite::memory:', 'file://host/hunter2'])(
    'refuses %s, and does not show it',
    (url) => {
      expect(() => parseStoreUrl(url)).toThrow(/^((?!hunter2).)*$/s);
    },
  );

  it.each([
    ['postgres://u:p@ss@db1,db2:5433/app?password=hunter2', 'postgres://db1,db2:5433/app'],
    ['mysql://u:hunter2@h/d', 'mysql://h/d'],
    ['sqlite:x.db', 'SQLite file x.db'],
  ])('describes %s without a secret', (url, text) => {
    expect(describeTarget(parseStoreUrl(url))).toBe(text);
  });

  it("is in the user's state folder when none is named", () => {
    expect(defaultStoreFile({ XDG_STATE_HOME: '/state' })).toBe('/state/wb/wb.db');
    expect(defaultStoreFile({ XDG_STATE_HOME: 'relative' })).toMatch(/^\/.*\/\.local\/state\/wb\/wb\.db$/);
  });
});
