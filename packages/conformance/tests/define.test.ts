import { MemoryDatabase, memoryLeaseStore } from '@wb/core/memory';
import { describe, expect, it } from 'vitest';
import { conformanceCases } from '../src/cases/index.js';
import { defineLeaseStoreConformance, type ConformanceTarget } from '../src/index.js';

const databases = new Map<string, MemoryDatabase>();

const target: ConformanceTarget = {
  name: 'memory',
  sessionRetentionMs: 1_000,
  open: (namespace) => {
    const database = databases.get(namespace) ?? new MemoryDatabase(1_000);
    databases.set(namespace, database);
    return memoryLeaseStore({ database });
  },
};

// The real thing, with the runner of this very file.
defineLeaseStoreConformance({ describe, it }, target);

describe('defineLeaseStoreConformance', () => {
  /** A runner that only collects. */
  function collect(of: ConformanceTarget): { readonly name: string; readonly body: (context?: unknown) => Promise<void> }[] {
    const tests: { name: string; body: (context?: unknown) => Promise<void> }[] = [];
    defineLeaseStoreConformance({ describe: (_name, body) => body(), it: (name, body) => tests.push({ name, body }) }, of, { seed: 5 });
    return tests;
  }

  it('defines one test for each case, in the order of the rules, with ids that are unique', () => {
    const names = collect(target).map(({ name }) => name);
    expect(names).toEqual(conformanceCases.map(({ id, title }) => `${id}: ${title}`));
    expect(new Set(conformanceCases.map(({ id }) => id)).size).toBe(conformanceCases.length);
  });

  it('a failing case throws, with its id and seed', async () => {
    const broken: ConformanceTarget = {
      ...target,
      open: async (namespace) => ({ ...(await target.open(namespace)), members: () => Promise.resolve([]) }),
    };
    const test = collect(broken).find(({ name }) => name.startsWith('S1.1:'))!;
    await expect(test.body()).rejects.toThrow(/^S1\.1 \(seed 5\): the new session, .*expected a member, but it was undefined/);
  });

  it('a case that does not apply is skipped with its reason', async () => {
    const reasons: string[] = [];
    const test = collect(target).find(({ name }) => name.startsWith('L2.2:'))!;
    await test.body({ skip: (reason: string) => reasons.push(reason) });
    expect(reasons).toEqual(['the store keeps nothing without its clients (`capabilities.durable` is false)']);
  });
});
