import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../program.js';
import { commandPage } from './command-page.js';

const PAGE = new URL('../../../../docs/cli.md', import.meta.url);

describe('docs/cli.md', () => {
  it('is what the commands say of themselves', () => {
    expect(readFileSync(PAGE, 'utf8'), 'the page is stale: run `npx turbo run build && node scripts/command-page.mjs`').toBe(
      commandPage(createProgram()),
    );
  });

  it('has every command with a description and an example, and every option with a description', () => {
    const page = commandPage(createProgram());
    for (const { name } of [...createProgram().commands].map((command) => ({ name: command.name() }))) {
      const part = page.slice(page.indexOf(`\n## wb ${name}\n`)).split('\n## ')[1]!;
      expect(part).toMatch(/^wb \S+\n\n```text\nwb .+\n```\n\n\S.+\n/);
      expect(part).toContain('```sh\n');
    }
    expect(page).not.toMatch(/\| *\|$/m);
    expect(page).not.toContain('undefined');
  });
});
