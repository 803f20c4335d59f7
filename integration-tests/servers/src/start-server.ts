import { startDockerServer } from './docker-server.js';
import { mariadbPrograms } from './installed-mariadb.js';
import { mysqlPrograms } from './installed-mysql.js';
import { postgresPrograms } from './installed-postgres.js';
import { startPrivateInstance, type InstancePrograms } from './private-instance.js';
import { CLUSTER_KINDS, SERVER_KINDS, type ServerKind } from './server-kinds.js';

/** Where a server keeps its data: in memory, for tests, so that it can be as durable as in earnest and yet cost no disk; or on the disk, for measurements. */
export type Storage = 'memory' | 'disk';

/** A running server, as one sees it who may do everything there. */
export interface TestServer {
  readonly url: string;
  /** Where it comes from, for people: `WB_TEST_POSTGRES_URL`, `Docker`, `installed`. */
  readonly origin: string;
  /** Where it keeps its data, if that is known. */
  readonly storage: Storage | 'unknown';
  /** Ends it, if it was started here. */
  readonly stop: () => Promise<void>;
}

/** No server, and why: a sentence that also says how to get one. */
export interface MissingServer {
  readonly url: null;
  readonly skipReason: string;
}

/**
 * A server: that of `WB_TEST_<kind>_URL`; else one in Docker; else a private instance of the programs that are installed on this machine; else none.
 *
 * @throws Error if there is none and `WB_REQUIRE` (`postgres,mysql,mariadb`, with commas) names the kind.
 */
export async function startServer(kind: ServerKind, storage: Storage = 'memory'): Promise<TestServer | MissingServer> {
  const { title, urlVariable, image, programs } = SERVER_KINDS[kind];
  const given = process.env[urlVariable];
  if (given !== undefined && given !== '') return { url: given, origin: urlVariable, storage: 'unknown', stop: () => Promise.resolve() };
  const inDocker = await startDockerServer(kind, image, storage);
  if (typeof inDocker !== 'string') return inDocker;
  const installed = await startInstalledServer(kind, storage);
  if (installed !== null) return installed;
  const skipReason =
    `no ${title} server: ${urlVariable} is not set, ${inDocker}, and its programs (${programs}) are not installed. ` +
    `To get one, start Docker (it needs the image ${image}), install the programs, or set ${urlVariable} to a database for tests`;
  return missingServer(kind, skipReason);
}

/**
 * A target without a server.
 * @throws Error if `WB_REQUIRE` names the target.
 */
export function missingServer(target: string, skipReason: string): MissingServer {
  if (requiredTargets().includes(target)) throw new Error(`WB_REQUIRE asks for ${target}, but there is ${skipReason}`);
  return { url: null, skipReason };
}

/** The targets that `WB_REQUIRE` names: their servers must be there. */
export function requiredTargets(): readonly string[] {
  return (process.env['WB_REQUIRE'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/**
 * Checks `WB_REQUIRE`.
 * @param more Targets beside the kinds of servers.
 * @throws Error if it names something that is no target.
 */
export function assertRequiredTargets(more: readonly string[] = []): void {
  const known = [...Object.keys(SERVER_KINDS), ...CLUSTER_KINDS, ...more];
  const unknown = requiredTargets().find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new Error(`WB_REQUIRE names ${JSON.stringify(unknown)}; it must be a list of ${known.join(', ')}, with commas`);
}

/** One more server of a kind, whatever is given: another one to fail over to. The text says why there is none. */
export async function startAnotherServer(kind: ServerKind): Promise<TestServer | string> {
  return (await startInstalledServer(kind)) ?? (await startDockerServer(kind, SERVER_KINDS[kind].image));
}

/** A private instance of the programs that are installed on this machine, in a temporary folder, on a free port; `null` without any. */
export async function startInstalledServer(kind: ServerKind, storage: Storage = 'memory'): Promise<TestServer | null> {
  const programs = installedPrograms(kind);
  return programs === null ? null : await startPrivateInstance(programs, storage);
}

/** How the programs that are installed on this machine are run; `null` without any. */
export function installedPrograms(kind: ServerKind): InstancePrograms | null {
  switch (kind) {
    case 'postgres':
      return postgresPrograms();
    case 'mysql':
      return mysqlPrograms();
    case 'mariadb':
      return mariadbPrograms();
  }
}
