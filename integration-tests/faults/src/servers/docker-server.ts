import { beforeExit, freePort } from '@wb/test-servers';
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { clockEnvironment, findLibfaketime, moveClock, setOffset, type ClockLooks } from '../faketime.js';
import type { PrivateServer } from './private-server.js';

const run = promisify(execFile);

/** Where the clock's files are in a container. */
const INSIDE = '/wb-clock';
const LIBRARY_INSIDE = '/wb-libfaketime.so.1';

/** What a container is made of. */
export interface DockerServerOptions {
  readonly image: string;
  /** The port that the server listens on, in the container. */
  readonly port: number;
  /** Its superuser's URL, with `port` on this machine. */
  url(port: number): string;
  readonly environment: Readonly<Record<string, string>>;
  /** The server's program and its arguments. */
  readonly command: readonly [program: string, ...args: string[]];
  /** Where its data is: a small file system of its own, in memory, so that it can be filled up. */
  readonly dataFolder: string;
  readonly dataMegabytes: number;
  readonly clockLooks: ClockLooks;
}

/** Whether Docker runs here and has the image. */
export function hasImage(image: string): boolean {
  return spawnSync('docker', ['image', 'inspect', image], { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

let count = 0;

/** A database server in a container of its own. Its data outlives the container's restarts, and ends with `stop`. */
export async function startDockerServer(options: DockerServerOptions): Promise<PrivateServer> {
  count += 1;
  const name = `wb-faults-${process.pid}-${count}`;
  const directory = mkdtempSync(join(tmpdir(), 'wb-faults-clock-'));
  const clock = clockIn(directory, options.command[0], options.clockLooks);
  const port = await freePort();
  const docker = async (...args: string[]): Promise<string> => (await run('docker', args, { maxBuffer: 1e8 })).stdout;
  const remove = (...args: string[]): Promise<unknown> => docker(...args).catch(() => undefined);
  const stop = async (): Promise<void> => {
    await remove('rm', '--force', '--volumes', name, `${name}-keeper`);
    await remove('volume', 'rm', '--force', name);
    rmSync(directory, { recursive: true, force: true });
    isStopped();
  };
  const isStopped = beforeExit(stop);
  const mount = ['--volume', `${name}:${options.dataFolder}`];
  try {
    const size = `size=${options.dataMegabytes}m`;
    await docker('volume', 'create', '--driver', 'local', '--opt', 'type=tmpfs', '--opt', 'device=tmpfs', '--opt', `o=${size}`, name);
    // Such a volume is there as long as somebody uses it: the server may die.
    await docker('run', '--detach', '--name', `${name}-keeper`, ...mount, '--entrypoint', 'sleep', options.image, 'infinity');
    await docker(
      ...['run', '--detach', '--name', name, '--publish', `127.0.0.1:${port}:${options.port}`, ...mount, ...(clock?.dockerArguments ?? [])],
      ...Object.entries(options.environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      ...[options.image, ...options.command],
    );
  } catch (error) {
    await stop();
    throw error;
  }
  const ballast = join(options.dataFolder, 'ballast');
  return {
    origin: 'Docker',
    url: options.url(port),
    pause: async () => void (await docker('pause', name)),
    resume: async () => void (await docker('unpause', name)),
    kill: async () => void (await docker('kill', '--signal', 'KILL', name)),
    start: async () => void (await docker('start', name)),
    restart: async () => void (await docker('restart', '--time', '10', name)),
    fillDisk: async () => {
      // It ends when nothing more goes in.
      await docker('exec', `${name}-keeper`, 'sh', '-c', `cat /dev/zero > ${ballast} 2>/dev/null || true`);
      return async () => void (await docker('exec', `${name}-keeper`, 'rm', '-f', ballast));
    },
    setClock: clock?.set ?? null,
    logs: async () => {
      const { stdout, stderr } = await run('docker', ['logs', '--tail', '40', name]);
      return stdout + stderr;
    },
    stop,
  };
}

/** The scripts that put the library before the server alone: what starts it changes its user, and the library cannot live through that. */
const ENTER = `#!/bin/sh
PATH="${INSIDE}/bin:$PATH"; export PATH
exec docker-entrypoint.sh "$@"
`;
const program = (name: string): string => `#!/bin/sh
PATH="\${PATH#${INSIDE}/bin:}"; export PATH
# Making the data folder needs no clock, and is slow with one that is looked up in a file.
case "$*" in *--initialize*) ;; *) LD_PRELOAD=${LIBRARY_INSIDE}; export LD_PRELOAD ;; esac
exec ${name} "$@"
`;

interface ContainerClock {
  readonly dockerArguments: readonly string[];
  readonly set: (offset: string) => Promise<void>;
}

/** The library comes from this machine; an image with another C library could not load it, but all that are used here can. */
function clockIn(directory: string, name: string, looks: ClockLooks): ContainerClock | null {
  const library = findLibfaketime();
  if (library === null) return null;
  mkdirSync(join(directory, 'bin'));
  writeFileSync(join(directory, 'bin', 'enter'), ENTER, { mode: 0o755 });
  writeFileSync(join(directory, 'bin', name), program(name), { mode: 0o755 });
  // Others must be able to look in.
  chmodSync(directory, 0o755);
  const file = join(directory, 'offset');
  setOffset(file, '+0');
  const environment = Object.entries(clockEnvironment(`${INSIDE}/offset`, looks)).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  const mounts = ['--volume', `${directory}:${INSIDE}:ro`, '--volume', `${library}:${LIBRARY_INSIDE}:ro`];
  return {
    dockerArguments: [...mounts, ...environment, '--entrypoint', `${INSIDE}/bin/enter`],
    set: (offset) => moveClock(file, offset, looks),
  };
}
