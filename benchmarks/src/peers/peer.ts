/** Somebody who can hold groups, in one process: this SDK or another library, behind what they have in common. */
export interface PeerClient {
  /** One attempt: whether it was granted. What is granted is not kept alive. */
  readonly acquire: (group: string) => Promise<boolean>;
  readonly release: (group: string) => Promise<unknown>;
  /** Waits as a standby of this kind waits, and then holds the group on as its leader does, until what it resolves with is called. */
  readonly lead: (group: string) => Promise<() => Promise<unknown>>;
  /** Statements, commands or file operations so far, of this whole process. */
  readonly callCount: () => number;
  readonly close: () => Promise<unknown>;
}

/** Where a peer finds what it needs. */
export interface PeerPlace {
  /** A server's URL, or a folder. */
  readonly url: string;
  /** In front of the names of tables and keys. */
  readonly namespace: string;
  readonly memberId: string;
  readonly ttlMs: number;
}

/** What a peer keeps its state in. */
export type PeerBacking = 'postgres' | 'mysql' | 'sqlite' | 'redis' | 'etcd' | 'folder';

export interface Peer {
  /** `@verrou/core, kysely` */
  readonly name: string;
  readonly backing: PeerBacking;
  /** The most groups that it is given here. */
  readonly maxGroups: number;
  /** Where it does less than this SDK, and where more. */
  readonly differences: string;
  readonly open: (place: PeerPlace) => Promise<PeerClient>;
}
