import { expect, it } from 'vitest';
import { OpenedSessions } from './opened-sessions.js';
import type { ServerRow } from './server-identity.js';

function answers(...rows: readonly ServerRow[]): () => Promise<ServerRow> {
  const left = [...rows];
  return () => {
    const row = left.shift();
    return row === undefined ? Promise.reject(new Error('asked too often')) : Promise.resolve(row);
  };
}

it('T6: a session is lost on another server, and stays so', async () => {
  const sessions = new OpenedSessions();
  sessions.opened('s', { server: 'a', cluster: null });
  expect(await sessions.isLostOn('s', 'a', answers())).toBe(false);
  expect(await sessions.isLostOn('s', 'b', answers())).toBe(true);
  expect(await sessions.isLostOn('s', 'b', answers())).toBe(true);
});

it('a session of another process, or one that has ended, is judged by the database alone', async () => {
  const sessions = new OpenedSessions();
  sessions.opened('s', { server: 'a', cluster: null });
  sessions.ended('s');
  expect(await sessions.isLostOn('s', 'b', answers())).toBe(false);
  expect(await sessions.isLostOn('other', 'b', answers())).toBe(false);
});

it('a session is not lost on another member of its cluster, which is asked for once', async () => {
  const sessions = new OpenedSessions();
  sessions.opened('s', { server: 'a', cluster: 'group' });
  const ask = answers({ server: 'c', cluster: 'group' }, { server: 'b', cluster: 'group' });
  expect(await sessions.isLostOn('s', 'b', ask)).toBe(false);
  expect(await sessions.isLostOn('s', 'b', ask)).toBe(false);
  expect(await sessions.isLostOn('s', 'c', ask)).toBe(false);
});

it('T6: a session is lost on a server of another cluster, of none, and on one that is never met again', async () => {
  for (const cluster of ['elsewhere', null]) {
    const sessions = new OpenedSessions();
    sessions.opened('s', { server: 'a', cluster: 'group' });
    expect(await sessions.isLostOn('s', 'b', answers({ server: 'b', cluster }))).toBe(true);
  }
  const sessions = new OpenedSessions();
  sessions.opened('s', { server: 'a', cluster: 'group' });
  expect(await sessions.isLostOn('s', 'b', () => Promise.resolve({ server: 'a', cluster: 'group' }))).toBe(true);
});
