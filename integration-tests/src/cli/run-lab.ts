import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WB } from './wb-command.js';

/** Notes every 5 ms that it is alive; SIGTERM does not end it. */
const WORKER = `
const { appendFileSync } = require('node:fs');
process.on('SIGTERM', () => {});
const { WB_MEMBER, WB_TERM, WB_GROUP } = process.env;
const startedAtMs = Math.round(performance.timeOrigin);
setInterval(() => appendFileSync(process.argv[2], [WB_GROUP, WB_MEMBER, WB_TERM, process.pid, Date.now(), startedAtMs].join(' ') + '\\n'), 5);
`;

/** A sign of life of a worker. */
export interface Beat {
  readonly member: string;
  readonly term: number;
  readonly pid: number;
  readonly atMs: number;
  /** When its process began. */
  readonly startedAtMs: number;
}

/** The end of the log that has more than one line in it. */
const TAIL_LENGTH = 1_024;

/** Several `wb run` on one store, for the group `g`, and what their workers have noted. */
export class RunLab {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'wb-run-'));
  readonly store: string;
  /** Where the workers note that they are alive. */
  readonly log: string;
  /** The worker's program. */
  readonly worker: string;
  readonly #started: ChildProcess[] = [];
  readonly #outputs = new WeakMap<ChildProcess, Record<'stdout' | 'stderr', string>>();

  /** @param store Its URL. Default: a file in the lab's folder. */
  constructor(store?: string) {
    this.store = store ?? `sqlite:${join(this.directory, 'wb.db')}`;
    this.log = join(this.directory, 'beats');
    this.worker = join(this.directory, 'worker.cjs');
    writeFileSync(this.worker, WORKER);
    writeFileSync(this.log, '');
  }

  /** Ends everything, and removes the folder. */
  async end(): Promise<void> {
    for (const child of this.#started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, 'exit');
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await exit;
    }
    // Their keepers kill the workers, which write until then.
    const pids = new Set(this.beats().map(({ pid }) => pid));
    await until(() => [...pids].every((pid) => !isAlive(pid)));
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Starts a member with a command. */
  run(member: string, command: readonly string[], ...options: readonly string[]): ChildProcess {
    const args = ['--store', this.store, '--group', 'g', '--member', member, '--ttl', '2', '--heartbeat', '0.2', ...options];
    return this.start(args, command);
  }

  /** Starts `wb run` with nothing but what is given. */
  start(options: readonly string[], command: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return this.wb(['run', ...options, '--', ...command], env);
  }

  /** Starts any command of `wb`. */
  wb(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn(process.execPath, [WB, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: this.directory,
      env: { ...process.env, WB_STORE: '', ...env },
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk: Buffer) => (output[name] += chunk.toString()));
    this.#outputs.set(child, output);
    this.#started.push(child);
    return child;
  }

  /** What it has written up to now. */
  outputOf(child: ChildProcess): Readonly<Record<'stdout' | 'stderr', string>> {
    return this.#outputs.get(child)!;
  }

  /** A path in the lab's folder, of a file with that text if one is given. */
  path(name: string, text?: string): string {
    const path = join(this.directory, name);
    if (text !== undefined) writeFileSync(path, text);
    return path;
  }

  /** Starts a member with the worker. */
  work(member: string, ...options: readonly string[]): ChildProcess {
    return this.run(member, [process.execPath, this.worker, this.log], ...options);
  }

  beats(): readonly Beat[] {
    return readFileSync(this.log, 'utf8').split('\n').slice(0, -1).map(beatOf);
  }

  lastBeat(): Beat {
    return this.#lastBeat()!;
  }

  /** Without reading all of them: it is asked for again and again. */
  #lastBeat(): Beat | undefined {
    const file = openSync(this.log, 'r');
    try {
      const { size } = fstatSync(file);
      const tail = Buffer.alloc(Math.min(size, TAIL_LENGTH));
      readSync(file, tail, 0, tail.length, size - tail.length);
      const line = tail.toString().split('\n').at(-2);
      return line === undefined ? undefined : beatOf(line);
    } finally {
      closeSync(file);
    }
  }

  /** Resolves when the member's worker works. */
  leaderIs(member: string): Promise<void> {
    return until(() => this.#lastBeat()?.member === member);
  }

  /** Resolves when the member is in the store, and stands by. */
  joined(member: string): Promise<void> {
    return until(() => this.#started.some((child) => isStandby(member, this.outputOf(child).stderr)));
  }

  /** When a term's worker worked last. */
  lastOf(term: number): number {
    return this.beats().findLast((beat) => beat.term === term)!.atMs;
  }

  /** When a term's worker worked first. */
  firstOf(term: number): number {
    return this.beats().find((beat) => beat.term === term)!.atMs;
  }

  /** When a term's worker was started. */
  startOf(term: number): number {
    return this.beats().find((beat) => beat.term === term)!.startedAtMs;
  }
}

function beatOf(line: string): Beat {
  const [, member, term, pid, atMs, startedAtMs] = line.split(' ');
  return { member: member!, term: Number(term), pid: Number(pid), atMs: Number(atMs), startedAtMs: Number(startedAtMs) };
}

function isStandby(member: string, said: string): boolean {
  return said.includes(`member ${member} contends`) && said.includes('standing by: ');
}

/** Resolves when the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error('the state was not reached within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Whether a process runs. */
export function isAlive(pid: number): boolean {
  try {
    // A zombie has ended; somebody has to read its end.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
