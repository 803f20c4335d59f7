import type { Failover } from './team.js';

/** The timings of all failovers, in ms. */
export const TTL_MS = 1_000;
export const HEARTBEAT_MS = 200;

/** What was measured of one kind of failover with one database. */
export interface FailoverLine {
  readonly database: string;
  readonly what: string;
  readonly failovers: readonly Failover[];
  /** Of the time since the leader's end. */
  readonly goals?: { readonly p50Ms?: number; readonly p99Ms: number; readonly text: string } | undefined;
  /** The harder reading of the goal of a crash, in ms: how far past the expiry itself, which comes up to a heartbeat sooner than the TTL after the crash. */
  readonly overFloorP99Ms?: number | undefined;
}
