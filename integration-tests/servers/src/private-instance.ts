import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import type { Storage, TestServer } from './start-server.js';

/** The place of a private instance. */
export interface InstancePlace {
  /** A new folder, of the user who runs the programs. */
  readonly folder: string;
  readonly port: number;
}

/** How the installed programs of a server are run. */
export interface InstancePrograms {
  /** The account that the distribution makes for the server: root must not run it. */
  readonly account: string;
  /** Makes an empty database; ends by itself. */
  readonly install: (place: InstancePlace) => readonly [file: string, ...args: string[]];
  /** The server, in the foreground. */
  readonly serve: (place: InstancePlace) => readonly [file: string, ...args: string[]];
  /** What the server writes to stderr when it is ready. */
  readonly readyText: string;
  /** Ends it in an orderly way, without waiting for clients. */
  readonly stopSignal: NodeJS.Signals;
  readonly url: (place: InstancePlace) => string;
}

/** A file system in memory, where the machine has one. */
const MEMORY_FOLDER = '/dev/shm';
/** How much room a server may need there, in bytes. */
const ROOM_BYTES = 2 ** 30;

/** Runs installed programs as a server of its own: in a temporary folder, in memory if there is room and it need not be on a disk, on a free port of the loopback. It does not outlive this process. */
export async function startPrivateInstance(programs: InstancePrograms, storage: Storage = 'memory'): Promise<TestServer> {
  const inMemory = storage === 'memory' && hasRoom(MEMORY_FOLDER);
  const folder = mkdtempSync(join(inMemory ? MEMORY_FOLDER : tmpdir(), `wb-${programs.account}-`));
  const removeFolder = (): void => rmSync(folder, { recursive: true, force: true });
  const account = unprivilegedAccount(programs.account);
  if (account) chownSync(folder, account.uid, account.gid);
  const place: InstancePlace = { folder, port: await freePort() };

  const [installer, ...installerArguments] = programs.install(place);
  const install = spawnSync(installer, installerArguments, { ...account, cwd: folder });
  if (install.status !== 0) {
    removeFolder();
    throw new Error(`${installer} failed:\n${install.error?.message ?? install.stderr.toString()}`);
  }

  const [file, ...args] = programs.serve(place);
  const server = spawn(file, args, { ...account, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const kill = (): void => {
    server.kill('SIGKILL');
    removeFolder();
  };
  process.once('exit', kill);
  const ended = once(server, 'exit');
  let output = '';
  await new Promise<void>((resolve, reject) => {
    server.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(programs.readyText)) resolve();
    });
    ended.then(() => reject(new Error(`${file} ended before it was ready:\n${output}`)), reject);
  });
  return {
    url: programs.url(place),
    origin: 'installed',
    storage: inMemory ? 'memory' : 'disk',
    stop: async () => {
      process.removeListener('exit', kill);
      server.kill(programs.stopSignal);
      await ended;
      removeFolder();
    },
  };
}

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= ROOM_BYTES;
  } catch {
    return false;
  }
}

/** Whether a program can be run. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** The account's ids, when this process is root's; `null`: nothing to change. */
export function unprivilegedAccount(name: string): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (option: string): number => Number(execFileSync('id', [option, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
