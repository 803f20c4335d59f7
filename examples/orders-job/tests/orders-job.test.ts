import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('two nodes, the bearer killed twice: every order is sent once', async () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../dist/main.js', import.meta.url))]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  const code = await new Promise((resolve) => child.on('close', resolve));
  expect(output.match(/^— kill/gm), output).toHaveLength(2);
  expect(output.trimEnd().split('\n').at(-1)).toBe('30 occurrences, 0 twice, 0 lost');
  expect(code).toBe(0);
});
