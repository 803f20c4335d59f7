import type { InitializeHook, LoadHook } from 'node:module';
import { patched } from './patched.js';
import type { Patch } from './planted-faults.js';

let patches: readonly Patch[] = [];

/** Called by Node in the thread that loads modules. */
export const initialize: InitializeHook<readonly Patch[]> = (data) => {
  patches = data;
};

/** Called by Node for each module. */
export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const own = patches.filter(({ module }) => url.endsWith(`/packages/${module.replace('/', '/dist/')}.js`));
  if (own.length === 0) return loaded;
  const { source } = loaded;
  if (source === undefined) throw new Error(`${url} has no source to plant a fault in`);
  return { ...loaded, source: patched(typeof source === 'string' ? source : new TextDecoder().decode(source), own) };
};
