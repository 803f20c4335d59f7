import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { patched } from '../src/plants/patched.js';
import { plantedFaults } from '../src/plants/planted-faults.js';

const STORES = ['postgres', 'mysql', 'sqlite'];
const patches = Object.entries(plantedFaults).flatMap(([name, { patches: all = [] }]) => all.map((patch) => ({ name, ...patch })));

describe('planted faults', () => {
  it.each(patches)('$name: fits in $module, in one place or in several that mean the same', ({ module, from, to }) => {
    const source = readFileSync(new URL(`../../../packages/${module.replace('/', '/src/')}.ts`, import.meta.url), 'utf8');
    expect(patched(source, [{ module, from, to }])).not.toBe(source);
  });

  it('are refused where they fit nowhere', () => {
    expect(() => patched('const a = 1;', [{ module: 'core/none', from: 'b', to: 'c' }])).toThrow(/core\/none.*"b"/);
  });

  it('of a store are planted in all stores', () => {
    for (const { title, patches: all = [] } of Object.values(plantedFaults)) {
      const stores = new Set(all.map(({ module }) => module.split('/')[0]!).filter((name) => name !== 'core'));
      expect([...stores].toSorted(), title).toEqual(stores.size === 0 ? [] : STORES.toSorted());
    }
  });
});
