/**
 * Compiles and runs the samples of the documentation: `node scripts/samples/check-samples.mjs`, after `turbo run build`.
 *
 * - A block marked `ts` is a complete module. It is compiled with the repository's own compiler, and run with Node in an empty
 *   working directory: it must end by itself within 20 seconds with exit code 0.
 * - A block marked `ts no-run` is only compiled.
 * - JavaScript under any other mark is refused. Other languages are not looked at.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compileSamples } from './compile-samples.mjs';
import { findSamples } from './find-samples.mjs';
import { runSample } from './run-sample.mjs';
import { SampleWorkspace } from './sample-workspace.mjs';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

process.exitCode = await check();

async function check() {
  if (!existsSync(join(root, 'packages', 'core', 'dist', 'index.js'))) {
    console.error('The packages are not built: run `turbo run build` first.');
    return 1;
  }
  const { samples, mistakes } = findSamples(root);
  for (const mistake of mistakes) console.error(mistake);
  if (samples.length === 0) {
    console.error('No sample was found: that cannot be right.');
    return 1;
  }
  const workspace = new SampleWorkspace(root);
  try {
    const failureCount = mistakes.length + (await checkAll(samples, workspace));
    console.log(`${samples.length} samples, ${failureCount} failures`);
    return failureCount === 0 ? 0 : 1;
  } finally {
    workspace.remove();
  }
}

/** @returns {Promise<number>} How many failed. */
async function checkAll(samples, workspace) {
  const files = samples.map((sample, index) => workspace.write(sample, index));
  const errors = compileSamples(root, workspace.folder, files);
  const unplaced = [...errors].filter(([file]) => !files.includes(file));
  for (const [file, lines] of unplaced) console.error(`${file ?? 'tsc'}: ${lines.join('\n')}`);
  let failureCount = unplaced.length;
  // One after another: a sample about time should have the machine for itself.
  for (const [index, sample] of samples.entries()) {
    if (!(await checkOne(sample, files[index], errors.get(files[index]) ?? []))) failureCount += 1;
  }
  return failureCount;
}

/** @returns {Promise<boolean>} Whether all is well. */
async function checkOne({ file, line, isRun }, path, errors) {
  const place = `${file}:${line}`;
  if (errors.length > 0) {
    console.error(`${place} does not compile\n${errors.map((text) => (/^\s/.test(text) ? text : `  ${file}:${text}`)).join('\n')}`);
    return false;
  }
  if (!isRun) {
    console.log(`${place} compiled`);
    return true;
  }
  const { failure, output, tookMs } = await runSample(path.replace(/\.ts$/, '.js'));
  if (failure === null) {
    console.log(`${place} ran in ${(tookMs / 1_000).toFixed(1)} s`);
    return true;
  }
  console.error(`${place} failed: ${failure}`);
  // Errors name the sample's own file; its lines are those of the document.
  const shown = output.replaceAll(pathToFileURL(path).href, file).replaceAll(path, file).trimEnd();
  console.error(shown.replaceAll(/^/gm, '  '));
  return false;
}
