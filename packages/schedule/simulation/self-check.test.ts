import { afterAll, describe, expect, it } from 'vitest';
import { plantedFaults } from './plants.js';
import { describeCatch, hunt } from './self-check.js';

describe('the simulation of jobs catches every planted fault', () => {
  const lines: string[] = [];

  it.each(plantedFaults)('$rules: $title', async (fault) => {
    const result = await hunt(fault);
    lines.push(describeCatch(result));
    expect(result.caught?.violation).toMatchObject({ name: 'Violation' });
  });

  afterAll(() => {
    // What was caught, by which rule, is part of the result.
    process.stdout.write(`${lines.join('\n')}\n`);
  });
});
