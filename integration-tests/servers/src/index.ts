export { startDockerServer } from './docker-server.js';
export { freePort } from './free-port.js';
export { startPgbouncer } from './installed-pgbouncer.js';
export { unprivilegedAccount, type InstancePrograms } from './private-instance.js';
export { isServerKind, SERVER_KINDS, type ServerKind } from './server-kinds.js';
export { serverVersion } from './server-version.js';
export {
  assertRequiredKinds,
  installedPrograms,
  startAnotherServer,
  startInstalledServer,
  startServer,
  type MissingServer,
  type TestServer,
} from './start-server.js';
export { TcpProxy, type Direction } from './tcp-proxy.js';
