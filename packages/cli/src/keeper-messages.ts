import type { LocalInstant } from '@wb/core';

/** What `wb` tells the keeper. Instants are those of `machineClock`. */
export type KeeperRequest =
  | {
      readonly kind: 'start';
      readonly command: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly deadline: LocalInstant;
      /** How long before the deadline SIGTERM is sent, in ms. */
      readonly killAfterMs: number;
    }
  /** The lease is trusted until then. */
  | { readonly kind: 'renew'; readonly deadline: LocalInstant }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals };

/** What the keeper tells `wb`. */
export type KeeperReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'not-started'; readonly code: string }
  /** The deadline was near, and SIGTERM was sent. */
  | { readonly kind: 'terminated' }
  /** COMMAND has not heeded that SIGTERM, and the lease is trusted again. */
  | { readonly kind: 'trusted-again' }
  /** Nothing in COMMAND's process group may be sent signals: it runs as another user. */
  | { readonly kind: 'not-permitted'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'exited'; readonly exitCode: number | null; readonly signal: NodeJS.Signals | null };
