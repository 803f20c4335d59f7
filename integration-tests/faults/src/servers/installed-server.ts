import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clockEnvironment, findLibfaketime, setOffset } from '../faketime.js';
import { freePort } from './free-port.js';
import type { PrivateServer } from './private-server.js';

/** A server program of this machine. */
export interface InstalledServerOptions {
  /** The user that it runs as, when this process is root's: servers refuse to be root's. */
  readonly user: string;
  /** Makes an empty database in `directory/data`. */
  initialize(directory: string, identity: Identity): void;
  /** The command line that serves it. */
  command(directory: string, port: number): readonly [string, ...string[]];
}

export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

/** Starts a server program of this machine on a data folder of its own. */
export async function startInstalledServer(options: InstalledServerOptions): Promise<PrivateServer> {
  const directory = mkdtempSync(join(tmpdir(), 'wb-faults-'));
  const identity = identityOf(options.user);
  if (identity.uid !== undefined) chownSync(directory, identity.uid, identity.gid!);
  options.initialize(directory, identity);
  const port = await freePort();
  const clockFolder = mkdtempSync(join(tmpdir(), 'wb-faults-clock-'));
  const offsetFile = join(clockFolder, 'offset');
  const library = findLibfaketime();
  if (library !== null) {
    if (identity.uid !== undefined) chownSync(clockFolder, identity.uid, identity.gid!);
    setOffset(offsetFile, '+0');
  }
  let output = '';
  let server: ChildProcess | null = null;
  const start = (): Promise<void> => {
    if (server !== null && server.exitCode === null && server.signalCode === null) return Promise.resolve();
    const [program, ...args] = options.command(directory, port);
    server = spawn(program, args, {
      ...identity,
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(library !== null && { LD_PRELOAD: library, ...clockEnvironment(offsetFile) }) },
    });
    for (const stream of [server.stdout!, server.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-4_000);
      });
    }
    return Promise.resolve();
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server === null || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGCONT');
    server.kill(signal);
    await ended;
  };
  const signalAll = (signal: NodeJS.Signals): Promise<void> => {
    for (const pid of familyOf(server!.pid!)) process.kill(pid, signal);
    return Promise.resolve();
  };
  await start();
  return {
    kind: 'installed',
    host: '127.0.0.1',
    port,
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    kill: () => end('SIGKILL'),
    start,
    restart: async () => {
      await end('SIGTERM');
      await start();
    },
    fillDisk: null,
    setClock: library === null ? null : (offset) => setOffset(offsetFile, offset),
    logs: () => Promise.resolve(output),
    stop: async () => {
      await end('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
      rmSync(clockFolder, { recursive: true, force: true });
    },
  };
}

/** `{}`: this process is not root's, and stays who it is. */
function identityOf(user: string): Identity {
  if (process.getuid?.() !== 0) return {};
  const id = (option: string): number => Number(spawnSync('id', [option, user], { encoding: 'utf8' }).stdout);
  return { uid: id('-u'), gid: id('-g') };
}

/** A process and its children: a server with a process for each connection must be stopped as a whole. */
function familyOf(pid: number): number[] {
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === pid);
  return [pid, ...children.map(Number)];
}

function parentOf(pid: string): number | null {
  try {
    // After the name, which is in brackets and may hold anything: the state, and the parent.
    const [, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return Number(parent);
  } catch {
    // It has just ended.
    return null;
  }
}
