/** One session: one incarnation of a member, with its expiry by the store's clock. */
export interface SessionTable {
  session_id: string;
  member_id: string;
  ttl_ms: number;
  opened_at_ms: number;
  /** The session is live before this instant. Never indexed: every heartbeat writes it, and must touch no index. */
  expires_at_ms: number;
  /** Dead for good, whatever the clock does later (S2): 1 when a write has seen it expired, 2 when it was closed before that. Else 0. */
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

/** One term of a group: a bounded record (H1–H3), and the place where a request to resign is noted (R1). */
export interface TermTable {
  group_id: string;
  term: number;
  session_id: string;
  member_id: string;
  began_at_ms: number;
  /** Set by whoever takes the session's name off the lease: a release, or the tidying up after a dead session. A takeover writes nothing here: the session's row tells, or the next term. */
  ended_at_ms: number | null;
  end_reason: string | null;
  /** 1 when the leader was asked to hand over. */
  resign: number;
}

/** Who contends for what: written when contending starts and ends, never with a heartbeat. */
export interface ContenderTable {
  session_id: string;
  group_id: string;
}

/** One recurring job's record. The row is never deleted: a job that is finished stays finished (O6). */
export interface JobTable {
  group_id: string;
  job_id: string;
  /** How often it was written: each write replaces the version that it names (O2). */
  version: number;
  /** The id of the last write: tells its sender that it was his (O3). */
  write_id: string;
  /** The term of the last write that was made under a lease; 0 if there was none. */
  term: number;
  /** What was written. The stores do not look into it. */
  record: string;
}

/** The migrations that were applied. */
export interface MigrationTable {
  name: string;
}

/** The tables by their names in queries. In the database each has the namespace in front: `wb_session`, … */
export interface WbTables {
  session: SessionTable;
  lease: LeaseTable;
  term: TermTable;
  contender: ContenderTable;
  job: JobTable;
  migration: MigrationTable;
}

/** The names of the tables, without the namespace. */
export const TABLE_NAMES: readonly (keyof WbTables)[] = Object.freeze([
  'session',
  'lease',
  'term',
  'contender',
  'job',
  'migration',
] as const);
