import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

/** What the samples need otherwise than the packages: they are programs, not libraries. */
const OVERRIDES = {
  composite: false,
  incremental: false,
  declaration: false,
  declarationMap: false,
  isolatedDeclarations: false,
  stripInternal: false,
  noUnusedLocals: false,
  noUnusedParameters: false,
  noEmitOnError: false,
  sourceMap: true,
};

/** `path(line,column): error …` */
const PLACE = /^(.+)\((\d+),(\d+)\): (error .*)$/;

/**
 * Compiles all files at once, each beside its source. TypeScript 7 has no API for JavaScript: its command is run.
 * @param {string} root
 * @param {string} folder
 * @param {string[]} files
 * @returns {Map<string | null, string[]>} The errors of each file, `line:column: error …`; with `null` those that belong to none.
 */
export function compileSamples(root, folder, files) {
  const project = join(folder, 'tsconfig.json');
  writeFileSync(
    project,
    JSON.stringify({ extends: relative(folder, join(root, 'tsconfig.base.json')), compilerOptions: OVERRIDES, files }, null, 2),
  );
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [tsc, '-p', project, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  });
  if (error) throw error;
  const errors = new Map();
  let last = null;
  for (const line of `${stdout}${stderr}`.split('\n')) {
    if (line.trim() === '') continue;
    const [, path, row, column, text] = PLACE.exec(line) ?? [];
    const isContinued = path === undefined && /^\s/.test(line);
    if (!isContinued) last = path === undefined ? null : resolve(folder, path);
    errors.set(last, [...(errors.get(last) ?? []), path === undefined ? line : `${row}:${column}: ${text}`]);
  }
  if (status !== 0 && errors.size === 0) errors.set(null, [`tsc ended with exit code ${status}`]);
  return errors;
}
