import type { Failover } from './team.js';

/** The timings of all failovers, in ms. */
export const TTL_MS = 1_000;
export const HEARTBEAT_MS = 200;

/** What was measured of one kind of failover with one database. */
export interface FailoverLine {
  readonly database: string;
  readonly what: string;
  readonly failovers: readonly Failover[];
  /** Of all where there is no floor, else of what is beyond it. */
  readonly goals?: { readonly p50Ms?: number; readonly p99Ms: number; readonly text: string } | undefined;
}
