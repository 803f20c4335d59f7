import type { PeerName } from './index.js';
import type { PeerPlace } from './peer.js';

/** How a peer's process is started: as the only argument, in JSON. */
export interface PeerStart extends PeerPlace {
  readonly peer: PeerName;
}

/** What one kind of call costs. */
export interface OperationCost {
  readonly samplesMs: readonly number[];
  readonly cpuMs: number;
  readonly callCount: number;
}

export type Operation = 'acquire' | 'look' | 'release';

/** What a peer's process is told. Each is answered once. */
export type PeerCommand =
  /** Wait for a group, and hold it. */
  | { readonly kind: 'contend' }
  /** Give it up. */
  | { readonly kind: 'resign' }
  /** Hold as many other groups. */
  | { readonly kind: 'hold'; readonly count: number }
  /** Acquire, look at, and release as many. */
  | { readonly kind: 'operate'; readonly count: number }
  | { readonly kind: 'usage' }
  | { readonly kind: 'end' };

/** What it tells. `atMs` is the machine's monotonic clock. */
export type PeerMessage =
  | { readonly kind: 'leads'; readonly atMs: number }
  /** Nobody leads from now on. */
  | { readonly kind: 'stopped'; readonly atMs: number }
  | { readonly kind: 'holds' }
  | { readonly kind: 'operated'; readonly costs: Readonly<Record<Operation, OperationCost>> }
  | { readonly kind: 'usage'; readonly callCount: number; readonly cpuMs: number; readonly atMs: number }
  | { readonly kind: 'ready' };
