import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The Markdown files whose samples are checked. */
const DOCUMENTS = [/^README\.md$/, /^CONTRIBUTING\.md$/, /^docs\/.*\.md$/, /^(packages|examples)\/[^/]+\/README\.md$/];

/** Other names of the same language. One spelling, so that no sample slips through. */
const MISSPELT = ['js', 'javascript', 'mjs', 'cjs', 'jsx', 'typescript', 'mts', 'cts', 'tsx'];

/**
 * @typedef {object} Sample
 * @property {string} file From the root of the repository.
 * @property {number} line Where its opening fence is, from 1.
 * @property {boolean} isRun
 * @property {string} code
 */

/**
 * Finds the samples of all documents, and what is wrong with the way they are marked.
 * @param {string} root
 * @returns {{ samples: Sample[], mistakes: string[] }}
 */
export function findSamples(root) {
  const { status, stdout, stderr } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`git ls-files failed: ${stderr}`);
  const files = [...new Set(stdout.split('\0'))].filter((file) => DOCUMENTS.some((pattern) => pattern.test(file)));
  const found = files
    .filter((file) => existsSync(join(root, file)))
    .toSorted()
    .map((file) => samplesOf(file, readFileSync(join(root, file), 'utf8')));
  return { samples: found.flatMap(({ samples }) => samples), mistakes: found.flatMap(({ mistakes }) => mistakes) };
}

/**
 * The fenced blocks of one document, by the rules of CommonMark.
 * @param {string} file
 * @param {string} text
 * @returns {{ samples: Sample[], mistakes: string[] }}
 */
function samplesOf(file, text) {
  const samples = [];
  const mistakes = [];
  let open = null;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (open === null) {
      const [, indent, fence, info] = /^([\s>]*)(`{3,}|~{3,})\s*(.*)$/.exec(line) ?? [];
      if (fence === undefined || (fence[0] === '`' && info.includes('`'))) continue;
      open = { line: index + 1, fence, indent: indent.length, info: info.trim(), code: [] };
      continue;
    }
    if (!isEnd(line, open.fence)) {
      open.code.push(line.replace(new RegExp(`^\\s{0,${open.indent}}`), ''));
      continue;
    }
    take(open);
    open = null;
  }
  if (open !== null) mistakes.push(`${file}:${open.line} the fence is never closed`);
  return { samples, mistakes };

  function take({ line, info, code }) {
    const [language = '', ...words] = info.split(/\s+/);
    if (MISSPELT.includes(language)) mistakes.push(`${file}:${line} is marked \`${language}\`: write it in ts, and mark it \`ts\``);
    if (language !== 'ts') return;
    if (words.length > 1 || (words.length === 1 && words[0] !== 'no-run')) {
      mistakes.push(`${file}:${line} is marked \`${info}\`: only \`ts\` and \`ts no-run\` are known`);
      return;
    }
    samples.push({ file, line, isRun: words.length === 0, code: code.join('\n') });
  }
}

function isEnd(line, fence) {
  const bare = line.replace(/^[\s>]*/, '').trimEnd();
  return bare.length >= fence.length && [...bare].every((character) => character === fence[0]);
}
