import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeExit } from './clean-ups.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);

/** Containers of one image, on a network of their own for what they say to each other; clients come another way. */
export interface DockerClusterOptions {
  readonly image: string;
  /** The port that each server listens on, in its container. */
  readonly port: number;
  readonly count: number;
  /** The program that keeps the container up, and its arguments. */
  readonly command: (node: ClusterAddress, all: readonly ClusterAddress[]) => readonly string[];
  /** Where the data is; it outlives restarts of the container. */
  readonly dataFolder: string;
}

/** Where a node of a cluster is. */
export interface ClusterAddress {
  /** From 0 on. */
  readonly index: number;
  /** Among the nodes. */
  readonly peerHost: string;
  /** On this machine. */
  readonly clientPort: number;
}

/** One server of a cluster. */
export interface ClusterNode extends ClusterAddress {
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** SIGKILL, to all of its processes. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Takes it from the network that it shares with the others; clients still reach it. */
  isolate(): Promise<void>;
  rejoin(): Promise<void>;
  /** Runs a shell script in it, as a user. */
  run(user: string, script: string): Promise<string>;
  /** The end of what it said. */
  logs(): Promise<string>;
}

/** The servers of a cluster. */
export interface DockerCluster {
  readonly nodes: readonly ClusterNode[];
  stop(): Promise<void>;
}

let count = 0;

async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args, { maxBuffer: 1e8 })).stdout;
}

/** Makes the containers; their order is that of their addresses. None of them runs yet. */
export async function createDockerCluster(options: DockerClusterOptions): Promise<DockerCluster> {
  count += 1;
  const name = `wb-cluster-${process.pid}-${count}`;
  const nameOf = (index: number): string => `${name}-${index + 1}`;
  const indexes = Array.from({ length: options.count }, (_, index) => index);
  const stop = async (): Promise<void> => {
    await docker('rm', '--force', '--volumes', ...indexes.map(nameOf)).catch(() => undefined);
    await docker('network', 'rm', name).catch(() => undefined);
    isStopped();
  };
  const isStopped = beforeExit(stop);
  try {
    const prefix = await createNetwork(name);
    const addresses = await Promise.all(
      indexes.map(async (index): Promise<ClusterAddress> => ({ index, peerHost: `${prefix}.${index + 11}`, clientPort: await freePort() })),
    );
    for (const address of addresses) {
      const [program, ...args] = options.command(address, addresses);
      await docker(
        ...['create', '--name', nameOf(address.index), '--publish', `127.0.0.1:${address.clientPort}:${options.port}`],
        ...['--volume', options.dataFolder, '--entrypoint', program!, options.image, ...args],
      );
    }
    return { nodes: addresses.map((address) => nodeOf(address, nameOf(address.index), name)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** How many address ranges are tried. */
const RANGE_TRIES = 20;

/** Makes a network with fixed addresses in a range that nobody has; returns what they begin with. */
async function createNetwork(name: string): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const prefix = `10.213.${Math.floor(Math.random() * 256)}`;
    try {
      await docker('network', 'create', '--subnet', `${prefix}.0/24`, name);
      return prefix;
    } catch (error) {
      if (tries >= RANGE_TRIES || !String(error).includes('overlap')) throw error;
    }
  }
}

function nodeOf(address: ClusterAddress, name: string, network: string): ClusterNode {
  // A network that a container has been taken from does not know its address any more.
  const join = async (): Promise<void> => {
    await docker('network', 'connect', '--ip', address.peerHost, network, name);
  };
  let hasJoined = false;
  return {
    ...address,
    pause: async () => void (await docker('pause', name)),
    resume: async () => void (await docker('unpause', name)),
    kill: async () => void (await docker('kill', '--signal', 'KILL', name)),
    start: async () => {
      if (!hasJoined) await join();
      hasJoined = true;
      await docker('start', name);
    },
    isolate: async () => void (await docker('network', 'disconnect', '--force', network, name)),
    rejoin: join,
    run: (user, script) => docker('exec', '--user', user, name, 'bash', '-c', script),
    logs: async () => {
      const { stdout, stderr } = await run('docker', ['logs', '--tail', '40', name]);
      return stdout + stderr;
    },
  };
}
