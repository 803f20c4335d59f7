import { startServer } from '@wb/test-servers';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dropTables } from './orders-database.js';
import type { Place, TargetName } from './targets/target.js';

/** A place to meet, and how to leave nothing behind there. */
export interface StartedPlace {
  readonly place: Place;
  /** For people: which file or server it is. */
  readonly text: string;
  /** Removes everything that the demo has made. */
  readonly stop: () => Promise<void>;
  /** As far as that can be done while a process exits. */
  readonly stopNow: () => void;
}

/** A new file in a temporary folder, or tables of their own on a server: that of `WB_TEST_…_URL`, else one in Docker, else one of the programs that are installed. */
export async function startPlace(target: TargetName): Promise<StartedPlace> {
  const namespace = `demo_${randomBytes(4).toString('hex')}_`;
  if (target === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'warm-backup-demo-'));
    const stopNow = (): void => rmSync(folder, { recursive: true, force: true });
    const place: Place = { target, address: join(folder, 'orders.sqlite'), namespace };
    return { place, text: place.address, stop: async () => stopNow(), stopNow };
  }
  const server = await startServer(target);
  if (server.url === null) throw new Error(server.skipReason);
  const place: Place = { target, address: server.url, namespace };
  return {
    place,
    // The password is nobody's business.
    text: `${new URL(server.url).host} (${server.origin})`,
    stop: async () => {
      try {
        await dropTables(place);
      } finally {
        await server.stop();
      }
    },
    stopNow: () => undefined,
  };
}
