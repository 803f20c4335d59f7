import { describe, expect, it } from 'vitest';
import { BufferedIterator, EventStream } from './event-stream.js';
import type { CoordinatorEvent, OverrunEvent } from './events.js';

const overrun = (term: number): OverrunEvent => ({ kind: 'overrun', groupId: 'jobs', term, reason: 'resigned', settleDeadlineMs: 1 });
const session: CoordinatorEvent = { kind: 'session', from: 'joining', to: 'live', reason: 'opened', sessionId: 's1' };
const soon = (): Promise<void> => Promise.resolve();

describe('listeners', () => {
  it('T11: are never called from inside `emit`', async () => {
    const stream = new EventStream();
    const heard: number[] = [];
    stream.on('overrun', (event) => heard.push(event.term));
    stream.emit(overrun(1));
    stream.emit(overrun(2));
    expect(heard).toEqual([]);
    await soon();
    expect(heard).toEqual([1, 2]);
  });

  it('T11: hear everything in order, also what is emitted by one of them', async () => {
    const stream = new EventStream();
    const heard: string[] = [];
    stream.on('overrun', ({ term }) => {
      heard.push(`first ${term}`);
      if (term === 1) stream.emit(overrun(3));
    });
    stream.on('overrun', ({ term }) => heard.push(`second ${term}`));
    stream.emit(overrun(1));
    stream.emit(overrun(2));
    await soon();
    expect(heard).toEqual(['first 1', 'second 1', 'first 2', 'second 2', 'first 3', 'second 3']);
    stream.emit(overrun(4));
    await soon();
    expect(heard.slice(-2)).toEqual(['first 4', 'second 4']);
  });

  it('hear their own kind only', async () => {
    const stream = new EventStream();
    const heard: string[] = [];
    stream.on('session', (event) => heard.push(event.to));
    stream.emit(overrun(1));
    stream.emit(session);
    await soon();
    expect(heard).toEqual(['live']);
  });

  it('T11: what one of them throws hinders no other, and is not swallowed', async () => {
    const uncaught: unknown[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => uncaught.push(error));
    try {
      const stream = new EventStream();
      const heard: number[] = [];
      const mistake = new Error('a mistake in a listener');
      stream.on('overrun', () => {
        throw mistake;
      });
      stream.on('overrun', ({ term }) => heard.push(term));
      stream.emit(overrun(1));
      stream.emit(overrun(2));
      await soon();
      expect(heard).toEqual([1, 2]);
      await expect.poll(() => uncaught).toEqual([mistake, mistake]);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of others) process.on('uncaughtException', listener);
    }
  });

  it('one function that is registered twice is called twice, and each registration ends by itself', async () => {
    const stream = new EventStream();
    let heard = 0;
    const listener = (): void => {
      heard += 1;
    };
    const off = stream.on('overrun', listener);
    stream.on('overrun', listener);
    stream.emit(overrun(1));
    await soon();
    expect(heard).toBe(2);
    off();
    off();
    stream.emit(overrun(2));
    await soon();
    expect(heard).toBe(3);
  });

  it('one that is taken off and another that is put on while events wait', async () => {
    const stream = new EventStream();
    const heard: string[] = [];
    const off = stream.on('overrun', () => heard.push('off'));
    stream.on('session', () => undefined);
    stream.emit(overrun(1));
    off();
    stream.on('overrun', () => heard.push('on'));
    await soon();
    expect(heard).toEqual(['on']);
  });
});

describe('iterators', () => {
  it('T11: give out every event since they began, in order, however late they are read', async () => {
    const stream = new EventStream();
    stream.emit(overrun(1));
    const iterator = stream.iterate();
    stream.emit(overrun(2));
    stream.emit(session);
    stream.emit(overrun(3));
    stream.close();
    const seen: CoordinatorEvent[] = [];
    for await (const event of iterator) seen.push(event);
    expect(seen).toEqual([overrun(2), session, overrun(3)]);
  });

  it('are independent of each other', async () => {
    const stream = new EventStream();
    const [first, second] = [stream.iterate(), stream.iterate()];
    stream.emit(overrun(1));
    await first.return!();
    stream.emit(overrun(2));
    expect((await second.next()).value).toEqual(overrun(1));
    expect((await second.next()).value).toEqual(overrun(2));
    expect(await first.next()).toEqual({ value: undefined, done: true });
  });

  it('that wait are woken in turn, and ended when the stream is closed', async () => {
    const stream = new EventStream();
    const iterator = stream.iterate();
    const waiting = [iterator.next(), iterator.next(), iterator.next()];
    stream.emit(overrun(1));
    stream.emit(overrun(2));
    stream.close();
    expect(await Promise.all(waiting)).toEqual([
      { value: overrun(1), done: false },
      { value: overrun(2), done: false },
      { value: undefined, done: true },
    ]);
  });

  it('of a closed stream have ended', async () => {
    const stream = new EventStream();
    stream.close();
    expect(await stream.iterate().next()).toEqual({ value: undefined, done: true });
  });
});

describe('a buffered iterator', () => {
  it('tells when its reader has left the loop, and drops what it holds', async () => {
    let returned = 0;
    const iterator = new BufferedIterator<number>(() => {
      returned += 1;
    });
    for (const value of [1, 2, 3]) iterator.push(value);
    for await (const value of iterator) {
      expect(value).toBe(1);
      break;
    }
    expect(returned).toBe(1);
    iterator.push(4);
    expect(await iterator.next()).toEqual({ value: undefined, done: true });
  });

  it('gives out what it holds after it has ended, and takes nothing more', async () => {
    const iterator = new BufferedIterator<number>(() => undefined);
    iterator.push(1);
    iterator.end();
    iterator.push(2);
    expect(await iterator.next()).toEqual({ value: 1, done: false });
    expect(await iterator.next()).toEqual({ value: undefined, done: true });
  });
});
