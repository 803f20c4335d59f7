/** One session: one incarnation of a member, with its expiry by the store's clock. */
export interface SessionTable {
  session_id: string;
  member_id: string;
  ttl_ms: number;
  opened_at_ms: number;
  /** The session is live before this instant. Never indexed: every heartbeat writes it, and must touch no index. */
  expires_at_ms: number;
  /** 1 when the session was closed, or was seen expired by a write: dead for good, whatever the clock does later (S2). Else 0. */
  closed: number;
  /** Fresh grants that the session was ever given. */
  grant_count: number;
  /** Leases that the session has released. */
  release_count: number;
  /** A JSON object of strings. */
  metadata: string;
}

/** One group's leadership. The row is never deleted, so that terms never repeat (L2). */
export interface LeaseTable {
  group_id: string;
  /** The term of the last grant. */
  term: number;
  /** Who was granted the group last and has not released it; worth what the session is worth. */
  session_id: string | null;
}

/** Who contends for what: written when contending starts and ends, never with a heartbeat. */
export interface ContenderTable {
  session_id: string;
  group_id: string;
}

/** The migrations that were applied. */
export interface MigrationTable {
  name: string;
}

/** The tables by their names in queries. In the database each has the namespace in front: `wb_session`, … */
export interface WbTables {
  session: SessionTable;
  lease: LeaseTable;
  contender: ContenderTable;
  migration: MigrationTable;
}

/** The names of the tables, without the namespace. */
export const TABLE_NAMES: readonly (keyof WbTables)[] = Object.freeze(['session', 'lease', 'contender', 'migration'] as const);
