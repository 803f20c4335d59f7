/** The methods that a client in another process can be asked for. */
export type RemoteMethod =
  | 'migrate'
  | 'openSession'
  | 'heartbeat'
  | 'closeSession'
  | 'contend'
  | 'withdraw'
  | 'claim'
  | 'release'
  | 'held'
  | 'read'
  | 'members'
  | 'readJobs'
  | 'writeJob';

/** What the parent sends. */
export interface RemoteRequest {
  readonly id: number;
  readonly method: RemoteMethod;
  readonly args: readonly unknown[];
  /** Not before this instant of the machine's wall clock, in ms: a barrier for several processes. */
  readonly startAtMs: number | null;
}

/** What the child answers. The first one, of id 0, says that it is ready. */
export type RemoteAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string; readonly code: unknown } };
