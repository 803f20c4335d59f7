import { startDockerServer } from './docker-server.js';
import { mariadbPrograms } from './installed-mariadb.js';
import { mysqlPrograms } from './installed-mysql.js';
import { postgresPrograms } from './installed-postgres.js';
import { startPrivateInstance, type InstancePrograms } from './private-instance.js';
import { isServerKind, SERVER_KINDS, type ServerKind } from './server-kinds.js';

/** A running server, as one sees it who may do everything there. */
export interface TestServer {
  readonly url: string;
  /** Where it comes from, for people: `WB_TEST_POSTGRES_URL`, `Docker`, `installed`. */
  readonly origin: string;
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
 * @throws Error if there is none and `WB_REQUIRE` (`postgres,mysql,mariadb`) names the kind.
 */
export async function startServer(kind: ServerKind): Promise<TestServer | MissingServer> {
  const { title, urlVariable, image, programs } = SERVER_KINDS[kind];
  const given = process.env[urlVariable];
  if (given !== undefined && given !== '') return { url: given, origin: urlVariable, stop: () => Promise.resolve() };
  const inDocker = await startDockerServer(kind, image);
  if (typeof inDocker !== 'string') return inDocker;
  const installed = await startInstalledServer(kind);
  if (installed !== null) return installed;
  const skipReason =
    `no ${title} server: ${urlVariable} is not set, ${inDocker}, and its programs (${programs}) are not installed. ` +
    `To get one, start Docker (it needs the image ${image}), install the programs, or set ${urlVariable} to a database for tests`;
  if (requiredKinds().includes(kind)) throw new Error(`WB_REQUIRE asks for ${kind}, but there is ${skipReason}`);
  return { url: null, skipReason };
}

/** The kinds of servers that `WB_REQUIRE` names: those must be there. */
function requiredKinds(): readonly string[] {
  return (process.env['WB_REQUIRE'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/**
 * Checks `WB_REQUIRE`.
 * @throws Error if it names something that is no kind of server.
 */
export function assertRequiredKinds(): void {
  const unknown = requiredKinds().find((name) => !isServerKind(name));
  if (unknown === undefined) return;
  throw new Error(`WB_REQUIRE names ${JSON.stringify(unknown)}; it must be a list of ${Object.keys(SERVER_KINDS).join(', ')}, with commas`);
}

/** One more server of a kind, whatever is given: another one to fail over to. The text says why there is none. */
export async function startAnotherServer(kind: ServerKind): Promise<TestServer | string> {
  return (await startInstalledServer(kind)) ?? (await startDockerServer(kind, SERVER_KINDS[kind].image));
}

/** A private instance of the programs that are installed on this machine, in a temporary folder, on a free port; `null` without any. */
export async function startInstalledServer(kind: ServerKind): Promise<TestServer | null> {
  const programs = installedPrograms(kind);
  return programs === null ? null : await startPrivateInstance(programs);
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
