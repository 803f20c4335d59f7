import type { TestCase, TestModule } from 'vitest/node';

/** What the integration tests' set-up provides of a target: what it is and where it comes from, or why it is not there and how to get it. */
type GivenTarget =
  { readonly url: string; readonly version: string; readonly origin: string } | { readonly url: null; readonly skipReason: string };

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The databases that tests ran on, a line each: version, counts, and why one was left out. Empty if none was asked for. */
export function targetSummary(modules: readonly TestModule[]): string[] {
  const given = givenTargets(modules);
  if (given === null) return [];
  const counts = new Map<string, Counts>();
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const target = targetOf(module, test);
      if (target === null || !Object.hasOwn(given, target)) continue;
      const count = counts.get(target) ?? { passed: 0, failed: 0, skipped: 0 };
      const { state } = test.result();
      count[state === 'pending' ? 'failed' : state] += 1;
      counts.set(target, count);
    }
  }
  return ['targets:', ...Object.entries(given).flatMap(([name, target]) => line(name, target, counts.get(name)))];
}

function line(name: string, target: GivenTarget, counts: Counts | undefined): string[] {
  if (target.url === null) return [`  ${name.padEnd(16)} skipped: ${target.skipReason}`];
  if (counts === undefined) return [];
  const { passed, failed, skipped } = counts;
  return [`  ${target.version.padEnd(16)} ${`${passed} passed, ${failed} failed, ${skipped} skipped`.padEnd(36)} ${target.origin}`];
}

/** Only where integration tests ran: their set-up has provided it. */
function givenTargets(modules: readonly TestModule[]): Readonly<Record<string, GivenTarget>> | null {
  for (const { project } of modules) {
    const { servers } = project.getProvidedContext() as { readonly servers?: Readonly<Record<string, GivenTarget>> };
    if (servers !== undefined) return servers;
  }
  return null;
}

/** A test says its target first (`postgres: deadlines`), or its file does (`sqlite-processes.test.ts`). */
function targetOf(module: TestModule, test: TestCase): string | null {
  const [, named] = /^([a-z-]+): /.exec(test.fullName) ?? [];
  if (named !== undefined) return named;
  return /\/(sqlite)-[^/]*$/.exec(module.moduleId)?.[1] ?? null;
}
