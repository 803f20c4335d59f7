/** The servers of a run. `postgres-older` and `mariadb-older` are second versions of the same server. */
export type ServerName = 'postgres' | 'postgres-older' | 'mysql' | 'mariadb' | 'mariadb-older';

/** The targets of a run: SQLite comes with its driver. */
export type TargetName = 'sqlite' | ServerName;

/** What the tests find of a server: where it is, or why it is not there. */
export type GivenServer =
  { readonly url: string; readonly version: string; readonly origin: string } | { readonly url: null; readonly skipReason: string };

export type GivenServers = Readonly<Record<TargetName, GivenServer>>;

declare module 'vitest' {
  export interface ProvidedContext {
    /** From global-setup.ts; by `inject('servers')` in a test. */
    readonly servers: GivenServers;
  }
}
