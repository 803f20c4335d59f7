import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StoreTarget } from './adapters.js';
import { CliError } from './cli-error.js';

const URL_HINT = 'postgres://user@host/database, mysql://user@host/database, mariadb://user@host/database, sqlite:PATH or file:PATH';

/**
 * Reads the URL of a store.
 * @throws {@link CliError} if its scheme is not known. The URL is not in the message: it may have a password.
 */
export function parseStoreUrl(url: string): StoreTarget {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      return { adapter: 'postgres', connectionString: url };
    case 'mysql':
    case 'mariadb':
      return { adapter: 'mysql', connectionString: url };
    case 'sqlite':
    case 'file':
      return { adapter: 'sqlite', filename: filenameOf(scheme, url) };
    default:
      throw new CliError(
        scheme === undefined ? 'the store is not a URL' : `no store is known for URLs that begin with ${JSON.stringify(`${scheme}:`)}`,
        {
          hint: `give ${URL_HINT}`,
        },
      );
  }
}

function filenameOf(scheme: string, url: string): string {
  const rest = url.slice(scheme.length + 1);
  const filename = scheme === 'file' && rest.startsWith('//') ? fileUrlPath(url) : rest.replace(/^\/\//, '');
  if (filename === '') throw new CliError('the URL of the store names no file', { hint: 'give sqlite:PATH' });
  if (filename === ':memory:')
    throw new CliError('a store in memory is seen by no other process', { hint: 'give the path of a file: sqlite:PATH' });
  return filename;
}

function fileUrlPath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new CliError('the file URL of the store names no file of this machine', { hint: 'give file:///absolute/path', cause: error });
  }
}

/** The file of the user's state folder that is the store when none is named. */
export function defaultStoreFile(env: NodeJS.ProcessEnv = process.env): string {
  // The specification of the folders: a relative path is to be ignored.
  const state = env['XDG_STATE_HOME']?.startsWith('/') ? env['XDG_STATE_HOME'] : join(homedir(), '.local', 'state');
  return join(state, 'wb', 'wb.db');
}

/** The default store. */
export function defaultStore(env: NodeJS.ProcessEnv = process.env): StoreTarget & { readonly adapter: 'sqlite' } {
  return { adapter: 'sqlite', filename: defaultStoreFile(env) };
}

/** The store in words, without any secret. */
export function describeTarget(target: StoreTarget): string {
  if (target.adapter === 'sqlite') return `SQLite file ${target.filename}`;
  if ('connectionString' in target) {
    // Several hosts are not a URL for Node. What stands before the last @ of the authority may be a password, and so may a parameter.
    const [, scheme = target.adapter, rest = ''] = /^([^:]+):\/\/(.*)$/s.exec(target.connectionString) ?? [];
    const plain = rest.replace(/[?#].*$/s, '');
    return `${scheme}://${plain.slice(plain.lastIndexOf('@') + 1)}`;
  }
  const { host = 'localhost', port, database = '' } = target.fields;
  return `${target.adapter}://${host}${port === undefined ? '' : `:${port}`}/${database}`;
}
