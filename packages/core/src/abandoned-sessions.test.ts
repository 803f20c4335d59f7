import { describe, expect, it } from 'vitest';
import {
  CALL_DEADLINE_MS,
  CoordinatorRig,
  HEARTBEAT_MS,
  REPLY_LOST,
  type RigNode,
  SMOOTH,
  TTL_MS,
} from '../test-support/coordinator-rig.js';

/** A leader whose heartbeats arrive, and whose answers do not: it gives up a session that the store still extends. */
async function unheardLeader(rig: CoordinatorRig, isDeaf: boolean): Promise<[RigNode, RigNode, string]> {
  const a = rig.start('a');
  void a.lead('jobs', {}, isDeaf);
  await rig.until('a leads', () => a.isLeading('jobs'));
  const b = rig.start('b');
  void b.lead('jobs');
  await rig.until('b stands by', () => b.group('jobs')?.leader != null);
  const { run } = a.work('jobs');
  const { sessionId } = run.context.lease;
  a.fate = () => REPLY_LOST;
  await rig.until('a loses its trust', () => run.context.signal.aborted, 2 * TTL_MS);
  expect(run.context.signal.reason).toMatchObject({ reason: 'lost-trust' });
  a.fate = () => SMOOTH;
  return [a, b, sessionId];
}

describe('a session that is no longer trusted, and still lives in the store', () => {
  it('T9: is closed, so that its groups need not wait for it to expire', async () => {
    const rig = new CoordinatorRig();
    const [a, b, sessionId] = await unheardLeader(rig, false);
    const remainingMs = (): number => rig.database.members(rig.storeNow).find((member) => member.sessionId === sessionId)?.remainingMs ?? 0;
    expect(remainingMs()).toBeGreaterThan(TTL_MS / 2);
    await rig.until('somebody leads', () => a.isLeading('jobs') || b.isLeading('jobs'), CALL_DEADLINE_MS + HEARTBEAT_MS + 20);
    expect(remainingMs()).toBe(0);
    expect(rig.holderOf('jobs')).not.toBe(sessionId);
  });

  it('T7: not before its work has settled', async () => {
    const rig = new CoordinatorRig();
    const [a, , sessionId] = await unheardLeader(rig, true);
    const { run } = a.work('jobs');
    await rig.runFor(TTL_MS / 3, () => expect(a.callsOf('closeSession')).toEqual([]));
    run.end();
    await rig.until('it is closed', () => a.callsOf('closeSession').length > 0, 1);
    expect(a.callsOf('closeSession').map((call) => call.args[0])).toEqual([sessionId]);
  });

  it('is closed again when the reply was lost, until it has an answer', async () => {
    const rig = new CoordinatorRig();
    const [a, , sessionId] = await unheardLeader(rig, true);
    let lostCount = 0;
    a.fate = (operation) => {
      if (operation !== 'closeSession' || lostCount === 2) return SMOOTH;
      lostCount += 1;
      return REPLY_LOST;
    };
    a.work('jobs').run.end();
    await rig.runFor(3 * TTL_MS);
    expect(a.callsOf('closeSession').map((call) => call.args[0])).toEqual([sessionId, sessionId, sessionId]);
  });

  it('is left alone when the store itself has said that it is dead', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    void a.lead('jobs');
    await rig.until('a leads', () => a.isLeading('jobs'));
    rig.database.closeSession(a.sessionId!, rig.storeNow);
    await rig.until('a leads again', () => a.isLeading('jobs') && a.work('jobs').run.context.term === 2, 2 * TTL_MS);
    expect(a.callsOf('closeSession')).toEqual([]);
  });
});
