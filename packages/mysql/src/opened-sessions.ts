import type { ServerRow } from './server-identity.js';

/** How often a server that nobody has met yet is asked for: a proxy may answer with others. */
const MAX_ASKED_COUNT = 8;

interface Home {
  readonly cluster: string | null;
  readonly servers: Set<string>;
}

/**
 * On which server each session of this client was opened (T6). After an asynchronous failover the new primary may lack commits that were acknowledged: a grant, a heartbeat, a term. Nobody can tell which, so
 * a session is over as soon as its client meets another server that is not of the same cluster.
 */
export class OpenedSessions {
  readonly #homes = new Map<string, Home>();

  opened(sessionId: string, { server, cluster }: ServerRow): void {
    this.#homes.set(sessionId, { cluster, servers: new Set([server]) });
  }

  /** The database says by itself that it is dead. */
  ended(sessionId: string): void {
    this.#homes.delete(sessionId);
  }

  /** The servers that the session is known to be good for; `null` if another client has opened it. */
  serversOf(sessionId: string): readonly string[] | null {
    const home = this.#homes.get(sessionId);
    return home === undefined ? null : [...home.servers];
  }

  /** Whether a server is not one that the session belongs to. `ask` is called only for a server that was not met before. */
  async isLostOn(sessionId: string, server: string, ask: () => Promise<ServerRow>): Promise<boolean> {
    const home = this.#homes.get(sessionId);
    if (home === undefined || home.servers.has(server)) return false;
    if (home.cluster === null) return true;
    for (let askedCount = 0; askedCount < MAX_ASKED_COUNT; askedCount += 1) {
      const answer = await ask();
      if (answer.cluster === home.cluster) home.servers.add(answer.server);
      if (answer.server === server) break;
    }
    return !home.servers.has(server);
  }
}
