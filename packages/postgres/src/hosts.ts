import { WbOptionError } from '@wb/core';
import type { PostgresConnectionConfig } from './user-pool.js';

/**
 * One configuration for each server that is named: `pg` itself knows one host only. libpq's two forms are understood, `postgres://a:1,b:2/database` and `{ host: 'a,b', port: '1,2' }`.
 * @throws `WbOptionError` `INVALID_OPTION`, without the string: it may have a password.
 */
export function hostsOf(config: PostgresConnectionConfig): readonly PostgresConnectionConfig[] {
  const { connectionString } = config;
  if (connectionString !== undefined) {
    return hostStrings(connectionString).map((single) => Object.freeze({ ...config, connectionString: single }));
  }
  if (typeof config.host !== 'string' || !config.host.includes(',')) return [Object.freeze({ ...config })];
  const hosts = config.host.split(',');
  const ports = typeof config.port === 'string' ? config.port.split(',') : [config.port];
  if (ports.length !== 1 && ports.length !== hosts.length) {
    throw new WbOptionError(
      'INVALID_OPTION',
      'config.port',
      `\`config.port\` must name one port, or as many as there are hosts (${hosts.length})`,
    );
  }
  return hosts.map((host, at) => Object.freeze({ ...config, host: host.trim(), port: Number(ports[ports.length === 1 ? 0 : at] ?? 5432) }));
}

function hostStrings(connectionString: string): readonly string[] {
  const match = /^(postgres(?:ql)?:\/\/)((?:[^@/?#]*@)?)([^/?#]*)(.*)$/s.exec(connectionString);
  if (!match) {
    throw new WbOptionError('INVALID_OPTION', 'connectionString', '`connectionString` must begin with postgres:// or postgresql://');
  }
  const [, scheme, user, hosts, rest] = match as unknown as [string, string, string, string, string];
  const singles = hosts.split(',').map((host) => `${scheme}${user}${host}${rest}`);
  for (const single of singles) {
    // Without a host, e.g. with `?host=/var/run/postgresql`, it is no URL to Node; the driver knows.
    if (hosts === '' || URL.canParse(single)) continue;
    throw new WbOptionError(
      'INVALID_OPTION',
      'connectionString',
      '`connectionString` must be a URL: postgres://user:password@host:5432/database',
    );
  }
  return singles;
}
