import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A place in which samples resolve packages as a user's program would: the packages as built, and the peers that a user installs besides. */
export class SampleWorkspace {
  /** @param {string} root */
  constructor(root) {
    const parent = join(root, 'node_modules', '.samples');
    mkdirSync(parent, { recursive: true });
    /** A folder of its own for every run: two of them may run at once. */
    this.folder = mkdtempSync(join(parent, 'run-'));
    this.#root = root;
    this.#linkPackages();
  }

  #root;

  /** @param {import('./find-samples.mjs').Sample} sample @param {number} index @returns {string} The sample's file. */
  write(sample, index) {
    const path = join(this.folder, String(index), 'sample.ts');
    mkdirSync(dirname(path));
    writeFileSync(join(dirname(path), 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    // Each line of code has the number that it has in the document, so that errors need no translation.
    writeFileSync(path, `${'\n'.repeat(sample.line)}${sample.code}\n`);
    return path;
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #linkPackages() {
    const packages = join(this.#root, 'packages');
    for (const name of readdirSync(packages)) {
      const manifestPath = join(packages, name, 'package.json');
      if (!existsSync(manifestPath)) continue;
      const manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
      if (manifest.private === true) continue;
      this.#link(manifest.name, join(packages, name));
      for (const peer of Object.keys(manifest.peerDependencies ?? {})) {
        for (const installed of [peer, `@types/${peer}`]) {
          const target = join(packages, name, 'node_modules', installed);
          if (existsSync(target)) this.#link(installed, target);
        }
      }
    }
  }

  #link(name, target) {
    const path = join(this.folder, 'node_modules', name);
    if (existsSync(path)) return;
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path, 'junction');
  }
}
