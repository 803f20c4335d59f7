export { beforeExit, cleanUpWhenInterrupted } from './clean-ups.js';
export { createDockerCluster, type ClusterNode, type DockerCluster } from './docker-cluster.js';
export { startDockerServer } from './docker-server.js';
export { freePort } from './free-port.js';
export { startGaleraCluster, type GaleraNode } from './galera-cluster.js';
export { startPgbouncer } from './installed-pgbouncer.js';
export { startPostgresStandby } from './installed-postgres.js';
export { startPrivateInstance, unprivilegedAccount, type InstancePrograms } from './private-instance.js';
export { CLUSTER_KINDS, SERVER_KINDS, type ServerKind } from './server-kinds.js';
export { serverVersion } from './server-version.js';
export {
  assertRequiredTargets,
  installedPrograms,
  missingServer,
  requiredTargets,
  startAnotherServer,
  startInstalledServer,
  startServer,
  type MissingServer,
  type Storage,
  type TestServer,
} from './start-server.js';
export { TcpProxy, type Direction } from './tcp-proxy.js';
