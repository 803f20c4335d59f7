import { WbOptionError } from './errors.js';

/** The most that a session's metadata may take, in bytes as JSON (UTF-8). */
export const MAX_METADATA_BYTES = 4_096;

/**
 * Checks the metadata of a session: a record of strings, at most {@link MAX_METADATA_BYTES} as JSON.
 * @throws {@link WbOptionError} `INVALID_OPTION`
 */
export function assertMetadata(field: string, value: unknown): asserts value is Readonly<Record<string, string>> {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isRecord || !Object.values(value).every((entry) => typeof entry === 'string')) {
    throw new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${JSON.stringify(value)?.slice(0, 80)}) must be a record of strings`);
  }
  const size = new TextEncoder().encode(JSON.stringify(value)).length;
  if (size > MAX_METADATA_BYTES) {
    throw new WbOptionError('INVALID_OPTION', field, `\`${field}\` takes ${size} bytes as JSON; it may take ${MAX_METADATA_BYTES}`);
  }
}
