import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The built command, as a file for Node. */
export const WB: string = join(dirname(createRequire(import.meta.url).resolve('@wb/cli')), '..', 'bin', 'wb.js');

/** How a run of a program ended. */
interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `wb` to its end. */
export function wb(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd?: string, input?: string): Ended {
  return spawnSync(process.execPath, [WB, ...args], {
    encoding: 'utf8',
    env: { ...process.env, WB_STORE: '', ...env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? {} : { input }),
  });
}
