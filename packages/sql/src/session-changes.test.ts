import { describe, expect, it } from 'vitest';
import { changeHints, GROUPS_LOOKED_UP, SessionChanges, type ChangedGroup, type SessionState } from './session-changes.js';

function state(sessionId: string, grantCount: number, releaseCount = 0, closed = 0): SessionState {
  return { sessionId, grantCount, releaseCount, closed };
}

function groups(count: number, isFree: number): ChangedGroup[] {
  return Array.from({ length: count }, (_group, at) => ({ groupId: `${isFree}-${at}`, isFree }));
}

describe('SessionChanges', () => {
  it('tells of sessions that were given, have lost, or have left leases since the last look, and of no others', () => {
    const changes = new SessionChanges();
    changes.since([
      state('granted', 1),
      state('released', 1),
      state('closed', 1),
      state('still', 1),
      state('gone', 1),
      state('closed before', 1, 0, 1),
    ]);
    expect(
      changes.since([
        state('granted', 2),
        state('released', 1, 1),
        state('closed', 1, 0, 2),
        state('still', 1),
        state('new', 1),
        state('idle', 0),
      ]),
    ).toEqual(['granted', 'released', 'closed', 'new', 'gone']);
    expect(changes.since([state('granted', 2), state('released', 1, 1), state('still', 1)])).toEqual(['new']);
    expect(changes.since([state('granted', 2), state('released', 1, 1), state('still', 1)])).toEqual([]);
  });
});

describe('changeHints', () => {
  it('names what is free, what is held, and whose leader was asked to resign, each in a hint of its own', () => {
    const asked = [{ groupId: 'asked' }];
    expect(changeHints([...groups(1, 1), ...groups(2, 0)], asked)).toEqual([
      { groupIds: ['1-0'], freed: true },
      { groupIds: ['0-0', '0-1'] },
      { groupIds: ['asked'], resign: true },
    ]);
    expect(changeHints([], [])).toEqual([]);
  });

  it('names as many as it can, and nothing when they are more', () => {
    expect(changeHints(groups(GROUPS_LOOKED_UP - 1, 0), [])[0]!.groupIds).toHaveLength(500);
    expect(changeHints([...groups(GROUPS_LOOKED_UP, 1), ...groups(1, 0)], [{ groupId: 'asked' }])).toEqual([{}]);
  });
});
