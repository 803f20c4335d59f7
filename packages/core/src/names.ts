import { WbOptionError } from './errors.js';

/** The longest name, in characters (Unicode code points). */
export const MAX_NAME_LENGTH = 255;

const CONTROL_OR_LONE_SURROGATE = /[\p{Cc}\p{Cs}]/u;

/**
 * Checks the name of a group, member or session (F7): a string of 1 to {@link MAX_NAME_LENGTH} characters (Unicode code points), well-formed,
 * without control characters. Everything else is significant: case, accents, blanks at either end.
 *
 * @throws {@link WbOptionError} `INVALID_NAME`, naming the field, the value and the limit.
 */
export function assertName(field: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') {
    throw new WbOptionError('INVALID_NAME', field, `\`${field}\` (${typeof value}) must be a string of 1 to ${MAX_NAME_LENGTH} characters`);
  }
  // A string has at most as many code points as code units: the cheap test decides for nearly every name.
  const length = value.length <= MAX_NAME_LENGTH ? value.length : [...value].length;
  if (length === 0 || length > MAX_NAME_LENGTH) {
    throw new WbOptionError(
      'INVALID_NAME',
      field,
      `\`${field}\` (${excerpt(value)}) has ${length} characters; it must have 1 to ${MAX_NAME_LENGTH}`,
    );
  }
  if (CONTROL_OR_LONE_SURROGATE.test(value)) {
    throw new WbOptionError(
      'INVALID_NAME',
      field,
      `\`${field}\` (${excerpt(value)}) must have no control characters and no unpaired surrogates`,
    );
  }
}

function excerpt(value: string): string {
  const shown = JSON.stringify(value.slice(0, 40));
  return value.length > 40 ? `${shown}…` : shown;
}
