import { afterAll, describe, expect, it } from 'vitest';
import { runLeaseStoreConformance } from '../src/index.js';
import { clientMutants } from './mutants/client-mutants.js';
import { databaseMutants } from './mutants/database-mutants.js';
import { fenceMutants } from './mutants/fence-mutants.js';
import { mutantTarget } from './mutants/mutant.js';
import { occurrenceMutants } from './mutants/occurrence-mutants.js';
import { termMutants } from './mutants/term-mutants.js';

const mutants = [...databaseMutants, ...clientMutants, ...fenceMutants, ...termMutants, ...occurrenceMutants];

describe('each wrong store is killed by the case that is there for it', () => {
  const lines: string[] = [];
  let killedCount = 0;

  it.each(mutants)('$killedBy kills: $title', async (mutant) => {
    const report = await runLeaseStoreConformance(mutantTarget(mutant), { only: [mutant.killedBy], caseLimitMs: 5_000 });
    const [result] = report.cases;
    if (result?.outcome === 'failed') killedCount += 1;
    lines.push(`${mutant.killedBy.padEnd(6)} ${result?.outcome === 'failed' ? 'killed  ' : 'SURVIVED'}  ${mutant.title}`);
    expect(result?.outcome, result?.failure?.message).toBe('failed');
  });

  it('no two of them are the same, and there are at least thirty', () => {
    expect(new Set(mutants.map((mutant) => mutant.title)).size).toBe(mutants.length);
    expect(mutants.length).toBeGreaterThanOrEqual(30);
  });

  afterAll(() => {
    process.stdout.write(
      `${lines.join('\n')}\n${mutants.length} mutants, ${killedCount} killed, ${mutants.length - killedCount} survivors\n`,
    );
  });
});
