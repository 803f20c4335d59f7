import { freePort, startPrivateInstance, type InstancePrograms, type TestServer } from '@wb/test-servers';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** What peers run on that is no database of ours: a private instance of the installed program. The text says why there is none. */
export async function startSideServer(kind: 'redis' | 'etcd'): Promise<(TestServer & { readonly title: string }) | string> {
  const program = kind === 'redis' ? 'redis-server' : 'etcd';
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (version.error !== undefined) return `${program} is not installed`;
  const started = await startPrivateInstance(kind === 'redis' ? REDIS : await etcd());
  const number = /\d+\.\d+\.\d+/.exec(version.stdout)?.[0] ?? '';
  const title =
    kind === 'redis' ? `Redis ${number} (installed; in memory alone)` : `etcd ${number} (installed; one node, fsync of every write)`;
  return { ...started, title };
}

const REDIS: InstancePrograms = {
  account: 'redis',
  install: () => ['true'],
  // It writes to stdout, and cannot open what stderr is here.
  serve: ({ folder, port }) => [
    'sh',
    '-c',
    'exec redis-server "$@" 1>&2',
    'redis-server',
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'],
  ],
  readyText: 'Ready to accept connections',
  stopSignal: 'SIGTERM',
  url: ({ port }) => `redis://127.0.0.1:${port}`,
};

async function etcd(): Promise<InstancePrograms> {
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  return {
    account: 'etcd',
    install: () => ['true'],
    serve: ({ folder, port }) => [
      'etcd',
      ...['--data-dir', join(folder, 'data'), '--listen-client-urls', `http://127.0.0.1:${port}`],
      ...['--advertise-client-urls', `http://127.0.0.1:${port}`, '--listen-peer-urls', peerUrl],
      ...['--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `default=${peerUrl}`],
    ],
    readyText: 'ready to serve client requests',
    stopSignal: 'SIGTERM',
    url: ({ port }) => `http://127.0.0.1:${port}`,
  };
}
