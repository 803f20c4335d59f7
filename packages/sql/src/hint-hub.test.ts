import type { LeaseHint } from '@wb/core';
import { Scheduler, VirtualClock } from '@wb/core/testing';
import { describe, expect, it } from 'vitest';
import { HintHub } from './hint-hub.js';

/** A connection of the test's, which is told and broken by hand. */
class Line {
  readonly broken: Promise<void>;
  break!: () => void;
  isClosed = false;
  readonly tell: (hint: LeaseHint) => void;

  constructor(tell: (hint: LeaseHint) => void) {
    this.tell = tell;
    this.broken = new Promise((_resolve, reject) => {
      this.break = () => reject(new Error('broken'));
    });
  }

  close(): void {
    this.isClosed = true;
  }
}

class Bench {
  readonly scheduler = new Scheduler();
  readonly clock = new VirtualClock(this.scheduler);
  readonly lines: Line[] = [];
  readonly attemptsAtMs: number[] = [];
  /** How an attempt to connect goes; by default it opens a line at once. */
  connect: (open: () => Line, signal: AbortSignal) => Promise<Line> = (open) => Promise.resolve(open());
  readonly hub = new HintHub({
    clock: this.clock,
    random: () => 0.999,
    connect: (signal, onHint) => {
      this.attemptsAtMs.push(Math.round(this.scheduler.nowMs));
      return this.connect(() => {
        const line = new Line(onHint);
        this.lines.push(line);
        return line;
      }, signal);
    },
  });

  async watch(hints: LeaseHint[] = []): Promise<AsyncDisposable> {
    return await this.hub.watch(
      (hint) => hints.push(hint),
      (connected) => connected,
    );
  }
}

describe('HintHub', () => {
  it('W1: one connection tells all who watch, from when they watch to when they do not', async () => {
    const bench = new Bench();
    const [early, late]: [LeaseHint[], LeaseHint[]] = [[], []];
    const first = await bench.watch(early);
    bench.lines[0]!.tell({ groupIds: ['a'] });
    await bench.watch(late);
    bench.lines[0]!.tell({ groupIds: ['b'] });
    await first[Symbol.asyncDispose]();
    bench.lines[0]!.tell({ groupIds: ['c'] });
    expect(early).toEqual([{ groupIds: ['a'] }, { groupIds: ['b'] }]);
    expect(late).toEqual([{ groupIds: ['b'] }, { groupIds: ['c'] }]);
    expect(bench.lines.length).toBe(1);
  });

  it('W1: a connection that breaks is replaced, and everything is to be read again', async () => {
    const bench = new Bench();
    const hints: LeaseHint[] = [];
    await bench.watch(hints);
    bench.lines[0]!.break();
    await bench.scheduler.runFor(200);
    expect(bench.lines.length).toBe(2);
    expect(hints).toEqual([{}]);
    bench.lines[1]!.tell({ groupIds: ['a'] });
    expect(hints).toEqual([{}, { groupIds: ['a'] }]);
    expect(bench.lines[0]!.isClosed).toBe(true);
    bench.lines[0]!.tell({ groupIds: ['of the old one'] });
    expect(hints.length).toBe(2);
  });

  it('asks less and less often, down to once in 5 s, and soon again after a good connection', async () => {
    const bench = new Bench();
    await bench.watch();
    bench.connect = () => Promise.reject(new Error('refused'));
    bench.lines[0]!.break();
    await bench.scheduler.runFor(20_000);
    const pauses = bench.attemptsAtMs.slice(1).map((atMs, index) => atMs - bench.attemptsAtMs[index]!);
    expect(pauses.map((pause) => Math.round(pause / 100) * 100)).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    bench.connect = (open) => Promise.resolve(open());
    await bench.scheduler.runFor(5_000);
    expect(bench.lines.length).toBe(2);
    await bench.scheduler.runFor(10_000);
    bench.lines[1]!.break();
    await bench.scheduler.runFor(150);
    expect(bench.lines.length).toBe(3);
    // One that breaks at once was none.
    const waitsMs: number[] = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const brokenAtMs = bench.scheduler.nowMs;
      bench.lines.at(-1)!.break();
      await bench.scheduler.runFor(1_000);
      waitsMs.push(Math.round((bench.attemptsAtMs.at(-1)! - brokenAtMs) / 100) * 100);
    }
    expect(waitsMs).toEqual([200, 400, 800]);
  });

  it('an attempt is one for all who wait for it, and nobody is left behind by one whose time is over', async () => {
    const bench = new Bench();
    let open!: () => void;
    bench.connect = (line) =>
      new Promise((resolve) => {
        open = () => resolve(line());
      });
    const impatient = bench.hub.watch(
      () => undefined,
      () => Promise.reject(new Error('late')),
    );
    const patient = bench.watch();
    await expect(impatient).rejects.toThrow('late');
    open();
    await patient;
    expect(bench.attemptsAtMs.length).toBe(1);
    expect(bench.lines[0]!.isClosed).toBe(false);
  });

  it('an attempt that nobody waits for any more is ended, and its connection not kept; who comes next has one of their own', async () => {
    const bench = new Bench();
    const attempts: { readonly open: () => void; readonly signal: AbortSignal }[] = [];
    bench.connect = (line, signal) =>
      new Promise((resolve) => {
        attempts.push({ open: () => resolve(line()), signal });
      });
    await expect(
      bench.hub.watch(
        () => undefined,
        () => Promise.reject(new Error('late')),
      ),
    ).rejects.toThrow('late');
    expect(attempts[0]!.signal.aborted).toBe(true);
    const hints: LeaseHint[] = [];
    const next = bench.watch(hints);
    attempts[1]!.open();
    await next;
    attempts[0]!.open();
    await bench.scheduler.runFor(1);
    const [second, first] = bench.lines;
    expect([first!.isClosed, second!.isClosed]).toEqual([true, false]);
    second!.tell({ groupIds: ['a'] });
    first!.tell({ groupIds: ['b'] });
    expect(hints).toEqual([{ groupIds: ['a'] }]);
  });

  it('a failed attempt is told to all who wait for it, and another one is made for who comes next', async () => {
    const bench = new Bench();
    bench.connect = () => Promise.reject(new Error('refused'));
    await expect(bench.watch()).rejects.toThrow('refused');
    bench.connect = (open) => Promise.resolve(open());
    await bench.watch();
    expect(bench.lines.length).toBe(1);
  });

  it("what a watcher throws is the process's to hear, and hinders neither another watcher nor the next connection", async () => {
    const bench = new Bench();
    const hints: LeaseHint[] = [];
    await bench.hub.watch(
      () => {
        throw new Error('of the watcher');
      },
      (connected) => connected,
    );
    await bench.watch(hints);
    const uncaught: unknown[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => uncaught.push(error));
    try {
      for (const line of [0, 1]) {
        bench.lines[line]!.break();
        await bench.scheduler.runFor(500);
      }
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    }
    expect(hints).toEqual([{}, {}]);
    expect(bench.lines.length).toBe(3);
    expect(uncaught.map(String)).toEqual(['Error: of the watcher', 'Error: of the watcher']);
  });

  it('the connection is ended with the last who watches, and with the hub', async () => {
    const bench = new Bench();
    const [first, second] = [await bench.watch(), await bench.watch()];
    await first[Symbol.asyncDispose]();
    expect(bench.lines[0]!.isClosed).toBe(false);
    await second[Symbol.asyncDispose]();
    expect(bench.lines[0]!.isClosed).toBe(true);
    bench.lines[0]!.break();
    await bench.watch();
    bench.hub.close();
    bench.lines[1]!.break();
    await bench.scheduler.runFor(60_000);
    expect(bench.lines.map(({ isClosed }) => isClosed)).toEqual([true, true]);
  });

  it('an attempt that is under way when it is closed leaves no connection', async () => {
    const bench = new Bench();
    let open!: () => void;
    bench.connect = (line) =>
      new Promise((resolve) => {
        open = () => resolve(line());
      });
    const watching = bench.watch();
    bench.hub.close();
    open();
    await watching;
    await bench.scheduler.runFor(60_000);
    expect(bench.lines.map(({ isClosed }) => isClosed)).toEqual([true]);
  });

  it('nothing is left when it is closed: no connection, no timer', async () => {
    const bench = new Bench();
    const hints: LeaseHint[] = [];
    await bench.watch(hints);
    bench.lines[0]!.break();
    await bench.scheduler.runFor(1);
    bench.hub.close();
    bench.hub.close();
    await bench.scheduler.runFor(60_000);
    expect(bench.attemptsAtMs.length).toBe(1);
    expect(hints).toEqual([]);
  });
});
