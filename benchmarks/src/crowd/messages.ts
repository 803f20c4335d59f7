/** How a crowd's process is started: as the only argument, in JSON. */
export interface CrowdStart {
  readonly url: string;
  readonly namespace: string;
  readonly memberId: string;
  readonly groupCount: number;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  /** Whether each work reads its `signal` and listens to it. Default: nothing of its context is read. */
  readonly readsSignal?: boolean;
}

/** What a process has used since its start. */
export interface Usage {
  /** Calls of the store. */
  readonly calls: Readonly<Record<string, number>>;
  /** On all sockets. */
  readonly bytes: number;
  /** Of the processor, without what the collections for `heapBytes` took. */
  readonly cpuMs: number;
  /** The heap, after a collection. */
  readonly heapBytes: number;
  /** When it was looked at, on the machine's monotonic clock. */
  readonly atMs: number;
}

/** What a crowd tells its parent. */
export type CrowdMessage =
  /** It leads them all; `atMs` is when the last work began. */
  | { readonly kind: 'leads-all'; readonly atMs: number }
  /** It waits for them all. */
  | { readonly kind: 'waits' }
  | { readonly kind: 'usage'; readonly usage: Usage };
