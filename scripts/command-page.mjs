/** Writes docs/cli.md of the definitions of the commands: `node scripts/command-page.mjs`, after `turbo run build`. A unit test says when it is stale. */
import { writeFileSync } from 'node:fs';
import { commandPage } from '../packages/cli/dist/page/command-page.js';
import { createProgram } from '../packages/cli/dist/program.js';

writeFileSync(new URL('../docs/cli.md', import.meta.url), commandPage(createProgram()));
