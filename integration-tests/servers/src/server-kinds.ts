/** The database servers that tests and the demo run on. */
export type ServerKind = 'postgres' | 'mysql' | 'mariadb';

/** How a server of one kind is named and had. */
export interface ServerKindInfo {
  readonly title: string;
  /** The environment variable with the URL of a server that is there already. */
  readonly urlVariable: string;
  readonly image: string;
  /** What must be installed where there is no Docker. */
  readonly programs: string;
}

export const SERVER_KINDS: Readonly<Record<ServerKind, ServerKindInfo>> = {
  postgres: { title: 'PostgreSQL', urlVariable: 'WB_TEST_POSTGRES_URL', image: 'postgres:18', programs: 'initdb and postgres' },
  mysql: { title: 'MySQL', urlVariable: 'WB_TEST_MYSQL_URL', image: 'mysql:9.7', programs: 'mysqld' },
  mariadb: { title: 'MariaDB', urlVariable: 'WB_TEST_MARIADB_URL', image: 'mariadb:11.8', programs: 'mariadbd and mariadb-install-db' },
};

/** What there is of several servers, for fault runs only: it needs Docker. */
export const CLUSTER_KINDS: readonly string[] = ['postgres-pair', 'galera'];
