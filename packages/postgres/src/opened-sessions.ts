import type { ServerIdentity } from './server-identity.js';

/**
 * On which history each session of this client was opened (T6). After an asynchronous failover the new primary may lack commits that were acknowledged: a grant, a heartbeat,
 * a term. Nobody can tell which, so a session is over as soon as its client meets another history.
 */
export class OpenedSessions {
  readonly #identities = new Map<string, string>();

  opened(sessionId: string, identity: ServerIdentity): void {
    if (identity !== null) this.#identities.set(sessionId, identity);
  }

  /** The database says by itself that it is dead. */
  ended(sessionId: string): void {
    this.#identities.delete(sessionId);
  }

  /** Whether a server's history is not the one that the session belongs to. */
  isLostOn(sessionId: string, identity: ServerIdentity): boolean {
    const own = this.#identities.get(sessionId);
    return own !== undefined && identity !== null && own !== identity;
  }
}
