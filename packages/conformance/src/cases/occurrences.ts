import {
  MAX_JOB_RECORD_BYTES,
  type JobEntry,
  type JobWrite,
  type JobWriteResult,
  type LeaseStore,
  type LeaseStoreCapabilities,
} from '@wb/core';
import type { CaseContext } from '../case-context.js';
import { pass, until } from '../clock.js';
import { needsProcesses, type ConformanceCase } from '../conformance-case.js';
import { ConformanceFailure, equal, holds, rejection } from '../conformance-failure.js';
import type { ConformanceTarget } from '../target.js';

function needsOccurrences(_target: ConformanceTarget, { occurrences }: LeaseStoreCapabilities): string | null {
  return occurrences ? null : 'the store keeps no records of jobs (`capabilities.occurrences` is false)';
}

/** A leader of a group, and a job of its. */
interface Post {
  readonly store: LeaseStore;
  readonly groupId: string;
  readonly jobId: string;
  readonly lease: { readonly term: number; readonly sessionId: string };
}

async function lead(context: CaseContext, store: LeaseStore, groupId: string = context.name('group')): Promise<Post> {
  const sessionId = await context.session(store);
  const term = await context.grant(store, sessionId, groupId);
  return { store, groupId, jobId: 'job', lease: { term, sessionId } };
}

/** Hands the group on: the old leader's lease is over. */
async function succeed(context: CaseContext, { store, groupId, lease }: Post, next: LeaseStore): Promise<Post> {
  await store.release(lease.sessionId, [{ groupId, term: lease.term }]);
  return await lead(context, next, groupId);
}

function writeOf({ groupId, jobId, lease }: Post, expectedVersion: number, record: string, changes: Partial<JobWrite> = {}): JobWrite {
  return { groupId, jobId, lease, expectedVersion, writeId: `${record}@${expectedVersion}`, record, ...changes };
}

async function write(post: Post, expectedVersion: number, record: string, changes: Partial<JobWrite> = {}): Promise<JobWriteResult> {
  return await post.store.writeJob!(writeOf(post, expectedVersion, record, changes));
}

async function jobsOf(store: LeaseStore, groupId: string): Promise<readonly JobEntry[]> {
  return await store.readJobs!(groupId);
}

/** What is there of the only job of a group: version, term and record. */
async function state(store: LeaseStore, groupId: string): Promise<unknown> {
  return (await jobsOf(store, groupId)).map(({ version, term, record }) => [version, term, record]);
}

const WRITERS = 8;
/** More than any store writes while a release and a claim are under way. */
const MAX_RACING_WRITES = 2_000;

const CASES: readonly ConformanceCase[] = [
  {
    id: 'O1.1',
    title: "a record is written under the leader's lease, and everyone reads it",
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const post = await lead(context, store!);
      const { groupId, jobId, lease } = post;
      equal('the jobs before', await jobsOf(other!, groupId), []);
      equal('the first write', await write(post, 0, 'one'), { kind: 'written', version: 1 });
      equal('the next', await write(post, 1, 'two'), { kind: 'written', version: 2 });
      const entry = { groupId, jobId, version: 2, writeId: 'two@1', term: lease.term, record: 'two' };
      equal('the jobs, for another client', await jobsOf(other!, groupId), [entry]);
      equal('the jobs of another group', await jobsOf(other!, context.name('group')), []);
    },
  },
  {
    id: 'O1.2',
    title: 'who does not hold the group in that term writes nothing: another session, another term, another group',
    run: async (context) => {
      const store = await context.open();
      const post = await lead(context, store);
      const elsewhere = await lead(context, store);
      const stranger = await context.session(store);
      await write(post, 0, 'right');
      const { term, sessionId } = post.lease;
      const wrong: readonly (readonly [string, Partial<JobWrite>])[] = [
        ['another session', { lease: { term, sessionId: stranger } }],
        ['a session that does not exist', { lease: { term, sessionId: context.name('session') } }],
        ['a later term', { lease: { term: term + 1, sessionId } }],
        ['a group that it does not hold', { groupId: elsewhere.groupId, expectedVersion: 0 }],
        ['a group that nobody ever held', { groupId: context.name('group'), expectedVersion: 0 }],
        ['the first write of another job', { jobId: 'other', expectedVersion: 0, lease: { term: term + 1, sessionId } }],
      ];
      for (const [what, changes] of wrong) equal(`a write by ${what}`, await write(post, 1, 'wrong', changes), { kind: 'fenced' });
      equal('the record', await state(store, post.groupId), [[1, term, 'right']]);
      equal('the jobs of the other group', await jobsOf(store, elsewhere.groupId), []);
    },
  },
  {
    id: 'O1.3',
    title: 'after a release nothing is written, also not by the session that leads again in a later term',
    run: async (context) => {
      const store = await context.open();
      const post = await lead(context, store);
      const { groupId, lease } = post;
      await write(post, 0, 'before');
      await store.release(lease.sessionId, [{ groupId, term: lease.term }]);
      equal('a write after the release', await write(post, 1, 'after'), { kind: 'fenced' });
      const term = await context.grant(store, lease.sessionId, groupId);
      equal('a write in the old term', await write(post, 1, 'after'), { kind: 'fenced' });
      equal('a write in the new term', await write({ ...post, lease: { ...lease, term } }, 1, 'later'), { kind: 'written', version: 2 });
      equal('the record', await state(store, groupId), [[2, term, 'later']]);
    },
  },
  {
    id: 'O1.4',
    title: 'once another has been granted the group, the old leader writes nothing: after a close, and after an expiry',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const closed = await lead(context, store!);
      await store!.closeSession(closed.lease.sessionId);
      const groupId = context.name('group');
      let term = 0;
      const expired = await context.expiredSession(store!, async (sessionId) => {
        term = await context.grant(store!, sessionId, groupId);
      });
      for (const post of [closed, { ...closed, groupId, lease: { term, sessionId: expired } }]) {
        const next = await lead(context, other!, post.groupId);
        equal('a write of the old leader', await write(post, 0, 'old'), { kind: 'fenced' });
        equal('a write of the new one', await write(next, 0, 'new'), { kind: 'written', version: 1 });
        equal('another of the old one', await write(post, 1, 'old'), { kind: 'fenced' });
        equal('the record', await state(store!, post.groupId), [[1, next.lease.term, 'new']]);
      }
    },
  },
  {
    id: 'O1.5',
    title: 'a heartbeat and a write do not get in each other’s way, and a write extends no session',
    run: async (context) => {
      const store = await context.open();
      const post = await lead(context, store);
      const { sessionId } = post.lease;
      for (let version = 0; version < 20; version += 1) {
        const [result, beat] = await Promise.all([write(post, version, 'both'), store.heartbeat({ sessionId, holders: [] })]);
        equal('the write', result, { kind: 'written', version: version + 1 });
        equal('the heartbeat', beat.alive, true);
      }
      // Its writes go on, as the term is still the last; and do not keep it alive.
      const ttlMs = 400;
      const dying = await context.session(store, { ttlMs });
      const groupId = context.name('group');
      const [granted] = await store.claim(dying, [groupId]);
      if (granted?.kind !== 'granted') return;
      const busy: Post = { ...post, groupId, lease: { term: granted.term, sessionId: dying } };
      let version = 0;
      let isLive = true;
      for (let round = 0; isLive && round < 400; round += 1) {
        if ((await write(busy, version, 'busy')).kind === 'written') version += 1;
        isLive = (await store.members()).some((member) => member.sessionId === dying);
        await pass(5);
      }
      equal('a session that writes and sends no heartbeat, after five TTLs', isLive ? 'live' : 'dead', 'dead');
    },
  },
  {
    id: 'O1.6',
    title: 'a takeover races the writes of the old leader: none of his is applied after the grant of the new one',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      for (let round = 0; round < 20; round += 1) {
        const post = await lead(context, store!);
        const { groupId, lease } = post;
        await write(post, 0, 'begin');
        const rival = await context.session(other!);
        const takeover = async (): Promise<readonly [Post, JobEntry | undefined]> => {
          await pass(0);
          await store!.release(lease.sessionId, [{ groupId, term: lease.term }]);
          // A write under way may keep the group busy for a moment.
          const term = await until(async () => {
            const result = await context.claim(other!, rival, groupId);
            return result.kind === 'granted' ? result.term : undefined;
          }, 10_000);
          holds('the claim of the rival, within 10 s', term !== null, 'granted', 'refused');
          return [{ ...post, store: other!, lease: { sessionId: rival, term } }, (await jobsOf(other!, groupId))[0]];
        };
        const stream = async (): Promise<number> => {
          let version = 1;
          for (let count = 0; count < MAX_RACING_WRITES; count += 1) {
            const result = await write(post, version, `old ${version}`);
            if (result.kind !== 'written') {
              equal('the end of the old leader', result, { kind: 'fenced' });
              return version;
            }
            version = result.version;
            // A store in memory answers without a turn of the event loop: the takeover needs one.
            await pass(0);
          }
          throw new ConformanceFailure('the writes of the old leader', 'that they end with its lease', `${MAX_RACING_WRITES} were written`);
        };
        const [[next, seen], last] = await Promise.all([takeover(), stream()]);
        equal('the version that the new leader read at once, and the last that the old one wrote', seen?.version, last);
        equal('another write of the old leader', await write(post, last, 'late'), { kind: 'fenced' });
        equal(
          'the version that the new leader reads (O4)',
          (await jobsOf(other!, groupId)).map(({ version }) => version),
          [last],
        );
        equal('a write of the new leader', await write(next, last, 'new'), { kind: 'written', version: last + 1 });
      }
    },
  },
  {
    id: 'O1.7',
    title:
      'a takeover by expiry, of groups that nobody releases, races the writes of the old leader: none of his is applied after the grant',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const groupIds = Array.from({ length: 12 }, () => context.name('group'));
      const sessionId = await context.session(store!, { ttlMs: 400 });
      const granted = await store!.claim(sessionId, groupIds);
      const rival = await context.session(other!);
      const hasWritten = new Set<string>();
      // It lives until each of its groups has been written to; then it is forgotten.
      const living = until(async () => {
        await store!.heartbeat({ sessionId, holders: [] });
        return hasWritten.size === groupIds.length ? true : undefined;
      }, 10_000);
      await Promise.all(
        granted.map(async ({ groupId, kind }) => {
          equal('the claim of the old leader', kind, 'granted');
          const post: Post = { store: store!, groupId, jobId: 'job', lease: { sessionId, term: 1 } };
          const stream = async (): Promise<number> => {
            for (let version = 0; version < MAX_RACING_WRITES; version += 1) {
              const result = await write(post, version, `old ${version}`);
              if (result.kind !== 'written') {
                equal('the end of the old leader', result, { kind: 'fenced' });
                return version;
              }
              hasWritten.add(groupId);
              await pass(0);
            }
            throw new ConformanceFailure(
              'the writes of the old leader',
              'that they end with its lease',
              `${MAX_RACING_WRITES} were written`,
            );
          };
          const takeover = async (): Promise<number | undefined> => {
            const term = await until(async () => {
              const result = await context.claim(other!, rival, groupId);
              return result.kind === 'granted' ? result.term : undefined;
            }, 10_000);
            equal('the term of the rival, within 10 s', term, 2);
            return (await jobsOf(other!, groupId))[0]?.version;
          };
          const [seen, last] = await Promise.all([takeover(), stream()]);
          holds('the writes of the old leader', last > 0, 'some, while its session lived', last);
          equal('the version that the new leader read at once, and the last that the old one wrote', seen, last);
          equal('the record that the old leader’s client reads', (await jobsOf(store!, groupId))[0]?.version, last);
        }),
      );
      await living;
    },
  },
  {
    id: 'O2.1',
    title: 'a write that expects another version changes nothing, and is told what is there',
    run: async (context) => {
      const store = await context.open();
      const post = await lead(context, store);
      const { groupId, jobId, lease } = post;
      equal('a write of a record that is not there', await write(post, 1, 'none'), { kind: 'stale', current: null });
      await write(post, 0, 'one');
      await write(post, 1, 'two');
      const current = { groupId, jobId, version: 2, writeId: 'two@1', term: lease.term, record: 'two' };
      for (const expectedVersion of [0, 1, 3, 100]) {
        equal(`a write that expects ${expectedVersion}`, await write(post, expectedVersion, 'wrong'), { kind: 'stale', current });
      }
      equal('the record', await jobsOf(store, groupId), [current]);
    },
  },
  {
    id: 'O2.2',
    title: `of ${WRITERS} clients that write one version at once, one succeeds; the others are told what it wrote`,
    run: async (context) => {
      const clients = await context.openMany(WRITERS);
      const post = await lead(context, clients[0]!);
      for (let version = 0; version < 30; version += 1) {
        await pass(0);
        const results = await Promise.all(clients.map((store, at) => write({ ...post, store }, version, `by ${at}`)));
        const winners = results.flatMap((result, at) => (result.kind === 'written' ? [at] : []));
        equal(`who has written version ${version + 1}`, winners.length, 1);
        for (const result of results) {
          if (result.kind === 'written') equal('the version', result.version, version + 1);
          else {
            holds('the answer to the others', result.kind === 'stale', 'stale', result);
            equal(
              'the record that the others are told of',
              [result.current?.version, result.current?.record],
              [version + 1, `by ${winners[0]}`],
            );
          }
        }
      }
    },
  },
  {
    id: 'O2.3',
    title: 'a counter that is read and written back by many clients counts exactly',
    run: async (context) => {
      const clients = await context.openMany(WRITERS);
      const post = await lead(context, clients[0]!);
      await write(post, 0, '0');
      const turns = 10;
      await Promise.all(
        clients.map(async (store, at) => {
          for (let done = 0; done < turns;) {
            const [entry] = await jobsOf(store, post.groupId);
            const record = String(Number(entry!.record) + 1);
            const writeId = `${at}-${done}-${entry!.version}`;
            const result = await write({ ...post, store }, entry!.version, record, { writeId });
            if (result.kind === 'written') done += 1;
          }
        }),
      );
      const count = WRITERS * turns;
      equal('the counter', await state(clients[0]!, post.groupId), [[count + 1, post.lease.term, String(count)]]);
    },
  },
  {
    id: 'O2.4',
    title: 'processes claim occurrences at one instant: each occurrence goes to one',
    skip: (target, capabilities) => needsOccurrences(target, capabilities) ?? needsProcesses(target, capabilities),
    run: async (context) => {
      const remotes = await context.openRemote(4);
      const post = await lead(context, await context.open());
      for (let version = 0; version < 25; version += 1) {
        const results = await Promise.all(remotes.map((remote, at) => remote.call('writeJob', [writeOf(post, version, `by ${at}`)])));
        equal(`who has written version ${version + 1}`, results.filter((result) => result.kind === 'written').length, 1);
      }
      equal('the version at the end', (await jobsOf(post.store, post.groupId))[0]?.version, 25);
    },
  },
  {
    id: 'O3.1',
    title: 'a write that is repeated is written once, and said to be written each time',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const post = await lead(context, store!);
      for (const version of [0, 1]) {
        for (const client of [store!, other!, store!]) {
          equal('the write', await write({ ...post, store: client }, version, 'same'), { kind: 'written', version: version + 1 });
        }
      }
      equal('the record', await state(store!, post.groupId), [[2, post.lease.term, 'same']]);
      const all = await Promise.all([store!, other!].map((client) => write({ ...post, store: client }, 2, 'at once')));
      equal('repeats at once', all, [
        { kind: 'written', version: 3 },
        { kind: 'written', version: 3 },
      ]);
      equal('the record then', await state(store!, post.groupId), [[3, post.lease.term, 'at once']]);
    },
  },
  {
    id: 'O3.2',
    title: 'a repeat is said to be written also when the lease is over by then; a repeat that comes after the next write changes nothing',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const post = await lead(context, store!);
      await write(post, 0, 'one');
      const next = await succeed(context, post, other!);
      equal('the repeat after the lease', await write(post, 0, 'one'), { kind: 'written', version: 1 });
      equal('another write after the lease', await write(post, 0, 'other'), { kind: 'fenced' });
      await write(next, 1, 'two');
      equal('the repeat after the next write', await write(post, 0, 'one'), { kind: 'fenced' });
      equal('the same of who leads', (await write(next, 0, 'one')).kind, 'stale');
      equal('the record', await state(store!, post.groupId), [[2, next.lease.term, 'two']]);
    },
  },
  {
    id: 'O3.3',
    title: 'another write of the same text is another write: the id decides, not what is written',
    run: async (context) => {
      const store = await context.open();
      const post = await lead(context, store);
      await write(post, 0, 'text', { writeId: 'mine' });
      const result = await write(post, 0, 'text', { writeId: 'another' });
      holds('the write with another id', result.kind === 'stale', 'stale', result);
      equal('whose write is there', result.current?.writeId, 'mine');
    },
  },
  {
    id: 'O4.1',
    title: 'a new leader reads exactly what the old one has written: all its jobs, by name',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const post = await lead(context, store!);
      // The last two come in another order as UTF-16.
      const jobIds = ['b', 'a', 'B', 'ä', 'a ', '10', '9', 'job', '🦔', '\uff5e'];
      for (const jobId of jobIds) await write({ ...post, jobId }, 0, `record of ${jobId}`);
      await write({ ...post, jobId: 'a' }, 1, 'again');
      const next = await succeed(context, post, other!);
      const read = await jobsOf(next.store, post.groupId);
      equal('the records', Object.fromEntries(read.map(({ jobId, record }) => [jobId, record])), {
        ...Object.fromEntries(jobIds.map((jobId) => [jobId, `record of ${jobId}`])),
        a: 'again',
      });
      equal('the versions', Object.fromEntries(read.map(({ jobId, version }) => [jobId, version])), {
        ...Object.fromEntries(jobIds.map((jobId) => [jobId, 1])),
        a: 2,
      });
      equal('the terms', [...new Set(read.map(({ term }) => term))], [post.lease.term]);
      const names = read.map(({ jobId }) => Buffer.from(jobId, 'utf8'));
      equal('the order', names.map(String), names.toSorted((a, b) => a.compare(b)).map(String));
      equal('a write of the new leader', await write({ ...next, jobId: 'a' }, 2, 'his'), { kind: 'written', version: 3 });
    },
  },
  {
    id: 'O4.2',
    title: 'an operator writes without a lease, by the version alone; the leader finds it, and the term of the last leader stays',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const post = await lead(context, store!);
      const operator: Partial<JobWrite> = { lease: null };
      equal('the first write of all', await write({ ...post, store: other!, jobId: 'early' }, 0, 'early', operator), {
        kind: 'written',
        version: 1,
      });
      equal('a stale one', (await write({ ...post, store: other!, jobId: 'early' }, 0, 'again', operator)).kind, 'stale');
      await write(post, 0, 'one');
      equal('a write of an operator', await write({ ...post, store: other! }, 1, 'paused', operator), { kind: 'written', version: 2 });
      const late = await write(post, 1, 'two');
      holds('a write of the leader that knows nothing of it', late.kind === 'stale', 'stale', late);
      equal('what he is told', [late.current?.version, late.current?.record, late.current?.term], [2, 'paused', post.lease.term]);
      equal('the jobs', await state(store!, post.groupId), [
        [1, 0, 'early'],
        [2, post.lease.term, 'paused'],
      ]);
    },
  },
  {
    id: 'O5.1',
    title: 'a record comes back as it was written: quotes, marks, every script, up to the last byte',
    run: async (context) => {
      const [store, other] = await context.openMany(2);
      const post = await lead(context, store!);
      const records = [
        '',
        ' blanks at both ends ',
        `quotes ' " \` \\ \\' ; -- /* */ % _ ? :name $1 {job}`,
        'lines\nand\r\ntabs\t\u0001\u007f',
        'ä ß ł 漢字 🦔 e\u0301 \u{10ffff}',
        '{"json":[1,2.5,null,true,"\\u0000"]}',
        'x'.repeat(MAX_JOB_RECORD_BYTES),
        '🦔'.repeat(MAX_JOB_RECORD_BYTES / 4),
      ];
      for (const [version, record] of records.entries()) {
        equal('the write', await write(post, version, record, { writeId: `w${version}` }), { kind: 'written', version: version + 1 });
        const [entry] = await jobsOf(other!, post.groupId);
        holds('the record', entry?.record === record, JSON.stringify(record).slice(0, 80), entry?.record.slice(0, 80));
      }
    },
  },
  {
    id: 'O5.2',
    title: 'names and records that cannot be kept are refused before anything is written',
    run: async (context) => {
      const store = await context.open();
      const post = await lead(context, store);
      const wrong: readonly Partial<JobWrite>[] = [
        { jobId: '' },
        { jobId: 'x'.repeat(256) },
        { jobId: 'a\nb' },
        { jobId: '\ud800' },
        { groupId: '' },
        { writeId: '' },
        { writeId: 'x'.repeat(256) },
        { expectedVersion: -1 },
        { expectedVersion: 0.5 },
        { lease: { term: 0, sessionId: post.lease.sessionId } },
        { lease: { term: post.lease.term, sessionId: '' } },
        { record: 'x'.repeat(MAX_JOB_RECORD_BYTES + 1) },
        { record: '🦔'.repeat(MAX_JOB_RECORD_BYTES / 4) + 'x' },
        { record: 'a\0b' },
        { record: 'half \ud83e' },
      ];
      for (const changes of wrong) {
        const error = await rejection(`a write with ${JSON.stringify(changes).slice(0, 60)}`, write(post, 0, 'right', changes));
        const code: unknown = Reflect.get(Object(error), 'code');
        holds('the error', code === 'INVALID_NAME' || code === 'INVALID_OPTION', 'INVALID_NAME or INVALID_OPTION', code);
      }
      const code: unknown = Reflect.get(Object(await rejection('a look at a group without a name', store.readJobs!(''))), 'code');
      equal('the error of a look', code, 'INVALID_NAME');
      equal('the jobs', await jobsOf(store, post.groupId), []);
      const longest = '🦔'.repeat(255);
      equal('a name of the full length', await write(post, 0, 'right', { jobId: longest }), { kind: 'written', version: 1 });
      equal(
        'it, as it is read',
        (await jobsOf(store, post.groupId)).map(({ jobId }) => jobId),
        [longest],
      );
    },
  },
  {
    id: 'O6.1',
    title: 'records outlive sessions, their pruning, and every client',
    skip: (target, capabilities) =>
      needsOccurrences(target, capabilities) ?? (capabilities.durable ? null : 'the store forgets everything with its last client'),
    run: async (context) => {
      const first = await context.open();
      const post = await lead(context, first);
      await write(post, 0, 'one');
      await first.closeSession(post.lease.sessionId);
      await first.close();
      const store = await context.open({ isMigrated: false });
      equal('the record', await state(store, post.groupId), [[1, post.lease.term, 'one']]);
      await store.migrate();
      equal('the record after another migration', await state(store, post.groupId), [[1, post.lease.term, 'one']]);
      const next = await lead(context, store, post.groupId);
      equal('the write of the next leader', await write(next, 1, 'two'), { kind: 'written', version: 2 });
    },
  },
  {
    id: 'O6.2',
    title: "a session's end takes no record away: closed, and pruned",
    run: async (context) => {
      const store = await context.open();
      const post = await lead(context, store);
      await write(post, 0, 'one');
      await store.closeSession(post.lease.sessionId);
      const { sessionRetentionMs } = context.target;
      if (sessionRetentionMs !== undefined) await pass(sessionRetentionMs + 50);
      // Opening a session prunes what has been dead for long (S4).
      for (let round = 0; round < 3; round += 1) await context.session(store);
      equal('the record', await state(store, post.groupId), [[1, post.lease.term, 'one']]);
    },
  },
];

/** O1–O6: the records of recurring jobs. */
export const occurrenceCases: readonly ConformanceCase[] = CASES.map((each) => ({ skip: needsOccurrences, ...each }));
