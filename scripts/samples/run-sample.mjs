import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long a sample may take, in ms. It must end by itself. */
const LIMIT_MS = 20_000;

/**
 * Runs one compiled sample in a fresh, empty working directory.
 * @param {string} path The compiled file.
 * @returns {Promise<{ failure: string | null, output: string, tookMs: number }>} `failure`: `null` when it ended by itself with exit code 0.
 */
export async function runSample(path) {
  const directory = mkdtempSync(join(tmpdir(), 'warm-backup-sample-'));
  const startedAtMs = performance.now();
  try {
    const { code, signal, output } = await run(path, directory);
    const tookMs = performance.now() - startedAtMs;
    return { failure: describe(code, signal, tookMs), output, tookMs };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function describe(code, signal, tookMs) {
  if (code === 0) return null;
  if (signal === null) return `exit code ${code}`;
  return tookMs >= LIMIT_MS ? `did not end by itself within ${LIMIT_MS / 1_000} s` : `was ended by ${signal}`;
}

function run(path, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--enable-source-maps', path], { cwd, timeout: LIMIT_MS, killSignal: 'SIGKILL' });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, output: Buffer.concat(chunks).toString() }));
    child.stdin.end();
  });
}
