import type { ConformanceTarget } from '@wb/conformance';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { MemberMessage, MemberWork } from './member-messages.js';
import { MemberProcess, type Told } from './member-process.js';

const TTL_MS = 1_000;
const HEARTBEAT_MS = 200;
/** How often a leader tells that it works, at the most, in ms. */
const WORK_PAUSE_MS = 20;

const leads = (message: MemberMessage): boolean => message.kind === 'leads';
const standsBy = (message: MemberMessage): boolean => message.kind === 'group' && message.to === 'standby' && message.reason === 'held';

let namespaceCount = 0;

/** Coordinators in several processes, over one database: the faults of the original, each by its number (see docs/protocol.md). */
export function testCoordinators(target: ConformanceTarget): void {
  let namespace: string;
  let members: MemberProcess[];

  beforeEach(() => {
    namespaceCount += 1;
    namespace = `co${process.pid}_${namespaceCount}_`;
    members = [];
  });

  afterEach(async () => {
    await Promise.all(members.map((member) => member.end()));
    await target.drop?.(namespace);
  });

  interface StartOptions {
    readonly work?: MemberWork;
    readonly isHeldBack?: boolean;
    readonly environment?: NodeJS.ProcessEnv;
  }

  function start(memberId: string, { work = { kind: 'lasts' }, isHeldBack = false, environment = {} }: StartOptions = {}): MemberProcess {
    const member = new MemberProcess(
      { module: target.module!, namespace, memberId, ttlMs: TTL_MS, heartbeatMs: HEARTBEAT_MS, work, isHeldBack },
      environment,
    );
    members.push(member);
    return member;
  }

  /** A leader, and a standby that knows of it. */
  async function pair(work?: MemberWork): Promise<[MemberProcess, MemberProcess]> {
    const leader = start('a', work && { work });
    await leader.until(leads);
    const standby = start('b');
    await standby.until(standsBy);
    return [leader, standby];
  }

  function firstLeader(): Promise<Told & { readonly member: MemberProcess }> {
    return Promise.race(members.map(async (member) => ({ ...(await member.until(leads)), member })));
  }

  it('F2, F20: eight that boot at once on an empty database: one leads in term 1, and seven stand by', async () => {
    for (let at = 0; at < 8; at += 1) start(`node-${at}`, { isHeldBack: true });
    await Promise.all(members.map((member) => member.until((told) => told.kind === 'ready')));
    const startAtMs = Date.now() + 20;
    for (const member of members) member.begin(startAtMs);
    const { member: leader, message } = await firstLeader();
    expect(message).toMatchObject({ term: 1 });
    await Promise.all(members.filter((member) => member !== leader).map((member) => member.until(standsBy)));
    expect(members.filter((member) => member.told.some(({ message: told }) => leads(told))).length).toBe(1);
  });

  it('a killed leader is succeeded in the next term, because its session has expired', async () => {
    const [leader, standby] = await pair();
    const killedAtMs = performance.now();
    leader.signal('SIGKILL');
    const { atMs, message } = await standby.until(leads);
    expect(message).toMatchObject({ term: 2 });
    await standby.until((told) => told.kind === 'group' && told.to === 'claiming' && told.reason === 'expired');
    process.stdout.write(`takeover ${(atMs - killedAtMs).toFixed(0)} ms after SIGKILL, TTL ${TTL_MS} ms\n`);
  });

  it('F3, F9: a frozen leader is succeeded; thawed, it does no work in its old term, stops by itself, and contends again', async () => {
    const [leader, standby] = await pair();
    const frozenAtMs = performance.now();
    leader.signal('SIGSTOP');
    const taken = await standby.until(leads);
    process.stdout.write(`takeover ${(taken.atMs - frozenAtMs).toFixed(0)} ms after SIGSTOP, TTL ${TTL_MS} ms\n`);
    expect(taken.message).toMatchObject({ term: 2 });
    const toldBefore = leader.told.length;
    leader.signal('SIGCONT');
    expect((await leader.until((message) => message.kind === 'stopped')).message).toMatchObject({ term: 1, reason: 'lost-trust' });
    // What it had written to the pipe before it was frozen came before.
    const late = leader.told.slice(toldBefore).filter(({ message, atMs }) => message.kind === 'works' && atMs > taken.atMs);
    expect(late).toEqual([]);
    await leader.until(standsBy, toldBefore);
    standby.signal('SIGKILL');
    expect((await leader.until((message) => message.kind === 'leads' && message.term > 1)).message).toMatchObject({ term: 3 });
  });

  it('F14: a closed leader is succeeded long before its session would have expired, and its process ends by itself', async () => {
    const [leader, standby] = await pair();
    const askedAtMs = performance.now();
    expect(await leader.close()).toBe(0);
    const { atMs, message } = await standby.until(leads);
    expect(message).toMatchObject({ term: 2 });
    process.stdout.write(`hand-over ${(atMs - askedAtMs).toFixed(0)} ms after close(), heartbeat ${HEARTBEAT_MS} ms\n`);
    // It was released, not found dead.
    await standby.until((told) => told.kind === 'group' && told.to === 'claiming' && told.reason === 'released');
    expect(await standby.close()).toBe(0);
  });

  it('F4: a leader whose work throws lets go, again and again, and gives way to a member whose work does not', async () => {
    const leader = start('a', { work: { kind: 'throws' } });
    await leader.until((message) => message.kind === 'group' && message.reason === 'work-failed');
    const standby = start('b');
    const { message } = await standby.until(leads);
    // The sick one comes back after its pause, and finds a healthy one, who goes on working.
    const before = standby.told.length;
    await standby.until((told) => told.kind === 'works', before + Math.ceil((2 * TTL_MS) / WORK_PAUSE_MS));
    expect(standby.told.filter(({ message: told }) => told.kind === 'stopped')).toEqual([]);
    const terms = leader.told.flatMap(({ message: told }) => (told.kind === 'leads' ? [told.term] : []));
    expect(message).toMatchObject({ term: terms.length + 1 });
    expect(terms).toEqual(terms.map((_, at) => at + 1));
  });

  it('F4, T7: a leader whose work hangs and heeds nothing ends its process, and is succeeded then, not before', async () => {
    const [leader, standby] = await pair({ kind: 'hangs', watchdogMs: 300 });
    expect(await leader.gone()).toBe(70);
    // As long as the work might have run, the lease was kept.
    expect(standby.told.filter(({ message }) => leads(message))).toEqual([]);
    expect((await standby.until(leads)).message).toMatchObject({ term: 2 });
    await standby.until((told) => told.kind === 'group' && told.to === 'claiming' && told.reason === 'expired');
  });

  it('F10: two processes of one memberId: one leads, the other stands by', async () => {
    const [first, second] = [start('twin'), start('twin')];
    const { member: leader } = await firstLeader();
    const other = leader === first ? second : first;
    await other.until(standsBy);
    leader.signal('SIGKILL');
    expect((await other.until(leads)).message).toMatchObject({ term: 2 });
  });

  it('F1, L4: a counter that is read, waited over, and written by leaders of six processes counts exactly', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'wb-counter-'));
    const counterFile = join(directory, 'counter');
    writeFileSync(counterFile, '0');
    for (let at = 0; at < 6; at += 1) start(`node-${at}`, { work: { kind: 'counts', file: counterFile } });
    // Each member has its turn; which one is next is anybody's race.
    await Promise.all(members.map((member) => member.until((message) => message.kind === 'leads' && message.term > 60)));
    await Promise.all(members.map((member) => member.close()));
    const told = members.flatMap((member) => member.told.map(({ message }) => message));
    const terms = told.flatMap((message) => (message.kind === 'leads' ? [message.term] : []));
    expect(new Set(terms).size).toBe(terms.length);
    // A term in which nobody worked is that of a claim whose answer did not come in time: nothing else uses one up.
    const unansweredCount = told.filter(({ kind }) => kind === 'claim-unanswered').length;
    expect(Math.max(...terms) - terms.length).toBeLessThanOrEqual(unansweredCount);
    expect(told.filter(({ kind }) => kind === 'overlaps')).toEqual([]);
    expect(Number(readFileSync(counterFile, 'utf8'))).toBe(terms.length);
    expect(terms.length).toBeGreaterThan(60);
    rmSync(directory, { recursive: true });
  });

  it('F6: members in time zones 25 hours apart neither rob nor miss each other', async () => {
    const leader = start('a', { environment: { TZ: 'Pacific/Kiritimati' } });
    await leader.until(leads);
    const standby = start('b', { environment: { TZ: 'Pacific/Niue' } });
    await standby.until(standsBy);
    // Three TTLs of the leader's work, without anybody else's.
    const before = leader.told.length;
    await leader.until((message) => message.kind === 'works', before + Math.ceil((3 * TTL_MS) / WORK_PAUSE_MS));
    expect(standby.told.filter(({ message }) => leads(message))).toEqual([]);
    leader.signal('SIGKILL');
    expect((await standby.until(leads)).message).toMatchObject({ term: 2 });
  });
}
