import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchDatabase } from '../databases/bench-database.js';
import { peerNames, type PeerName } from './index.js';
import type { PeerBacking } from './peer.js';
import { startSideServer } from './side-servers.js';

/** Where peers keep their state: the databases of this run, and what is started beside them. */
export interface PeerPlaces {
  /** A namespace for each peer. */
  readonly namespaceOf: (peer: PeerName) => string;
  /** `null`: not in this run. */
  readonly urlOf: (backing: PeerBacking) => string | null;
  /** What was started, and what was not and why. */
  readonly notes: readonly string[];
  readonly stop: () => Promise<void>;
}

export async function openPeerPlaces(databases: readonly BenchDatabase[]): Promise<PeerPlaces> {
  const prefix = `bench_${randomBytes(4).toString('hex')}`;
  const namespaceOf = (peer: PeerName): string => `${prefix}_${peerNames.indexOf(peer)}_`;
  const folder = mkdtempSync(join(tmpdir(), 'wb-peers-'));
  const urls = new Map<PeerBacking, string>([['folder', folder]]);
  for (const { name, url } of databases) if (name === 'postgres' || name === 'mysql' || name === 'sqlite') urls.set(name, url);
  const notes: string[] = [];
  const stops: (() => Promise<void>)[] = [];
  for (const kind of ['redis', 'etcd'] as const) {
    const server = await startSideServer(kind);
    if (typeof server === 'string') notes.push(`Without ${kind}: ${server}.`);
    else {
      urls.set(kind, server.url);
      notes.push(server.title);
      stops.push(server.stop);
    }
  }
  return {
    namespaceOf,
    urlOf: (backing) => urls.get(backing) ?? null,
    notes,
    stop: async () => {
      for (const database of databases) for (const name of peerNames) await database.drop(namespaceOf(name));
      for (const stop of stops) await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
