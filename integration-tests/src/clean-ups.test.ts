import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const PROGRAM = `
  import { beforeExit, cleanUpWhenInterrupted } from '@wb/test-servers';
  import { setTimeout as sleep } from 'node:timers/promises';
  cleanUpWhenInterrupted();
  beforeExit(async () => {
    setTimeout(() => { throw new Error('its server is gone'); });
    await sleep(50);
    console.log('cleaned up');
  });
  setInterval(() => undefined, 1_000);
  process.kill(process.pid, 'SIGINT');
`;

it('a program that is interrupted cleans up to the end, also when something fails meanwhile', () => {
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    cwd,
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(stderr).toContain('its server is gone');
  expect(stdout).toBe('cleaned up\n');
  expect(status).toBe(130);
});
