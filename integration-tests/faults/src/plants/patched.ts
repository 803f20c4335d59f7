import type { Patch } from './planted-faults.js';

/** The source of a module with its changes made. @throws Error if one of them fits nowhere. */
export function patched(source: string, patches: readonly Patch[]): string {
  return patches.reduce((text, { module, from, to }) => {
    if (!text.includes(from)) throw new Error(`a planted fault fits nowhere in ${module}: there is no ${JSON.stringify(from)}`);
    return text.replaceAll(from, () => to);
  }, source);
}
