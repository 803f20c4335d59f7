import { beforeExit, freePort, unprivilegedAccount, type InstancePrograms } from '@wb/test-servers';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clockEnvironment, findLibfaketime, moveClock, setOffset, type ClockLooks } from '../faketime.js';
import type { PrivateServer } from './private-server.js';

/** Starts the installed programs of a server on a data folder of its own, with these settings. */
export async function startInstalledServer(
  programs: InstancePrograms,
  settings: readonly string[],
  clockLooks: ClockLooks,
): Promise<PrivateServer> {
  const folder = mkdtempSync(join(tmpdir(), 'wb-faults-'));
  const account = unprivilegedAccount(programs.account);
  const place = { folder, port: await freePort() };
  const library = findLibfaketime();
  const offsetFile = join(folder, 'clock-offset');
  if (library !== null) setOffset(offsetFile, '+0');
  if (account) chownSync(folder, account.uid, account.gid);
  const [installer, ...installerArguments] = programs.install(place);
  execFileSync(installer, installerArguments, { ...account, cwd: folder, stdio: 'ignore' });
  let output = '';
  let server: ChildProcess | null = null;
  const start = (): Promise<void> => {
    if (server !== null && server.exitCode === null && server.signalCode === null) return Promise.resolve();
    const [program, ...args] = programs.serve(place);
    server = spawn(program, [...args, ...settings], {
      ...account,
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(library !== null && { LD_PRELOAD: library, ...clockEnvironment(offsetFile, clockLooks) }) },
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
  const stop = async (): Promise<void> => {
    await end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    isStopped();
  };
  const isStopped = beforeExit(stop);
  await start();
  return {
    origin: 'installed',
    url: programs.url(place),
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    kill: () => end('SIGKILL'),
    start,
    restart: async () => {
      await end(programs.stopSignal);
      await start();
    },
    fillDisk: null,
    setClock: library === null ? null : (offset) => moveClock(offsetFile, offset, clockLooks),
    logs: () => Promise.resolve(output),
    stop,
  };
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
